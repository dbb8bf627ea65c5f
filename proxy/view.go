package proxy

import (
	"encoding/json"
	"regexp"
	"strings"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// view is what a client sees: all upstreams with their names before each tool
// and prompt, or one with its names unchanged.
type view struct{ only string }

func (v view) upstreams(all relay.Upstreams) []relay.Upstream {
	names := all.Names()
	if v.only != "" {
		names = []string{v.only}
	}
	var found []relay.Upstream
	for _, name := range names {
		if u, ok := all.Upstream(name); ok {
			found = append(found, u)
		}
	}
	return found
}

// owner finds the upstream of a resource: the first, by name, that lists it, or
// whose template it matches.
func (v view) owner(all relay.Upstreams, uri string) (relay.Upstream, error) {
	upstreams := v.upstreams(all)
	if v.only != "" && len(upstreams) == 1 {
		return upstreams[0], nil
	}
	for _, u := range upstreams {
		for _, item := range u.Catalog().Resources {
			if item.Name == uri {
				return u, nil
			}
		}
	}
	for _, u := range upstreams {
		for _, item := range u.Catalog().ResourceTemplates {
			if matches(item.Name, uri) {
				return u, nil
			}
		}
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeResourceNotFound, "no upstream lists the resource %q", uri)
}

// matches reports whether a URI may be an expansion of a template (RFC 6570): its
// literal parts stand there in order.
func matches(template, uri string) bool {
	pattern := "(?s)^"
	for template != "" {
		literal, rest, expression := strings.Cut(template, "{")
		pattern += regexp.QuoteMeta(literal)
		if !expression {
			break
		}
		if _, template, expression = strings.Cut(rest, "}"); !expression {
			return false
		}
		pattern += ".*"
	}
	matched, err := regexp.MatchString(pattern+"$", uri)
	return err == nil && matched
}

// watch has announce told of what upstreams say outside calls.
func (v view) watch(all relay.Upstreams, announce func(string, json.RawMessage)) []func() {
	watched := map[string]func(){}
	var stops []func()
	for _, u := range v.upstreams(all) {
		watched[u.Name()] = u.Watch(announce)
	}
	stops = append(stops, all.Watch(func() {
		for _, method := range []string{"tools", "resources", "prompts"} {
			announce("notifications/"+method+"/list_changed", nil)
		}
	}))
	for _, stop := range watched {
		stops = append(stops, stop)
	}
	return stops
}
