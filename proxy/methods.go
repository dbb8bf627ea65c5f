package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"golang.org/x/sync/errgroup"
)

// dispatch carries one request out.
func (c *session) dispatch(ctx context.Context, m *jsonrpc.Message, on stream) (json.RawMessage, error) {
	all := c.server.options.Upstreams
	switch m.Method {
	case "initialize":
		return c.initialize(m.Params)
	case "ping":
		return json.RawMessage("{}"), nil
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		if cursor := jsonrpc.Member(m.Params, "cursor"); cursor != nil {
			return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the cursor %s is not one of this server; its lists have one page", cursor)
		}
	}
	switch m.Method {
	case "tools/list":
		return c.list("tools", true, func(catalog *relay.Catalog) []relay.Item { return catalog.Tools }), nil
	case "prompts/list":
		return c.list("prompts", true, func(catalog *relay.Catalog) []relay.Item { return catalog.Prompts }), nil
	case "resources/list":
		return c.list("resources", false, func(catalog *relay.Catalog) []relay.Item { return catalog.Resources }), nil
	case "resources/templates/list":
		return c.list("resourceTemplates", false, func(catalog *relay.Catalog) []relay.Item { return catalog.ResourceTemplates }), nil
	case "tools/call", "prompts/get":
		return c.byName(ctx, m, on)
	case "resources/subscribe", "resources/unsubscribe":
		return c.listenTo(ctx, m)
	case "resources/read":
		uri, err := member(m.Params, "uri")
		if err != nil {
			return nil, err
		}
		u, err := c.view.owner(all, uri)
		if err != nil {
			return nil, err
		}
		return c.relay(ctx, u, c.call(m, m.Params, on, true))
	case "completion/complete":
		return c.complete(ctx, m, on)
	case "logging/setLevel":
		level, err := member(m.Params, "level")
		if err != nil {
			return nil, err
		}
		c.say(func(d *declared) { d.logLevel = level })
		return json.RawMessage("{}"), c.setLevel(ctx, m, on)
	}
	if upstreams := c.view.upstreams(all); c.view.only != "" && len(upstreams) == 1 {
		return c.relay(ctx, upstreams[0], c.call(m, m.Params, on, false))
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "the method %s is not known here; /mcp/<upstream> passes every method on", m.Method)
}

// setLevel tells every upstream that logs. Nobody is waited for who is not connected: it
// is told when it is. One that cannot be told does not keep the others from being.
func (c *session) setLevel(ctx context.Context, m *jsonrpc.Message, on stream) error {
	ctx, stop := context.WithTimeout(ctx, subscribeLimit)
	defer stop()
	var telling errgroup.Group
	for _, u := range c.view.upstreams(c.server.options.Upstreams) {
		if !has(u.Catalog().Capabilities, "logging") {
			continue
		}
		call := c.call(m, m.Params, on, true)
		call.AtOnce, call.Members, call.Stream = true, nil, nil
		telling.Go(func() error {
			_, err := u.Call(ctx, call)
			if errors.Is(err, relay.ErrNotReady) {
				return nil
			}
			return err
		})
	}
	return telling.Wait()
}

// say changes what the client has said of itself.
func (c *session) say(change func(*declared)) {
	for {
		before := c.said.Load()
		after := *before
		change(&after)
		if c.said.CompareAndSwap(before, &after) {
			return
		}
	}
}

// initialize agrees on a revision and says what all upstreams together can do.
func (c *session) initialize(params json.RawMessage) (json.RawMessage, error) {
	var p struct {
		ProtocolVersion string          `json:"protocolVersion"`
		Capabilities    json.RawMessage `json:"capabilities"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameters of initialize: %v", err)
	}
	revision := revisions()[0]
	if slices.Contains(revisions(), p.ProtocolVersion) {
		revision = p.ProtocolVersion
	}
	c.say(func(d *declared) { d.capabilities, d.revision = p.Capabilities, revision })
	capabilities, info, instructions := c.offers()
	result := map[string]any{"protocolVersion": revision, "capabilities": capabilities, "serverInfo": info}
	if instructions != "" {
		result["instructions"] = instructions
	}
	return json.Marshal(result)
}

// offers is what the view's upstreams can do together: one upstream's own words,
// or those of all.
func (c *session) offers() (capabilities, info any, instructions string) {
	if upstreams := c.view.upstreams(c.server.options.Upstreams); c.view.only != "" && len(upstreams) == 1 {
		if catalog := upstreams[0].Catalog(); catalog.Generation > 0 {
			return catalog.Capabilities, catalog.ServerInfo, catalog.Instructions
		}
	}
	capabilities = map[string]any{"tools": map[string]bool{"listChanged": true},
		"resources": map[string]bool{"listChanged": true, "subscribe": true},
		"prompts":   map[string]bool{"listChanged": true}, "logging": struct{}{}, "completions": struct{}{}}
	return capabilities, map[string]string{"name": "mcpproxy", "version": c.server.options.Version}, ""
}

// list joins the upstreams' lists, in the order of their names. The items are
// theirs but for the name that the view gives them.
func (c *session) list(memberName string, renamed bool, items func(*relay.Catalog) []relay.Item) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"` + memberName + `":[`)
	n := 0
	seen := map[string]bool{}
	all := c.server.options.Upstreams
	for _, u := range c.view.upstreams(all) {
		for _, of := range items(u.Catalog()) {
			raw, shown := of.Raw, of.Name
			if renamed && c.view.only == "" {
				shown = named(all, u, of.Name)
				raw = item(raw, shown, u, of.Name)
			}
			if seen[shown] && c.view.only == "" {
				continue // the first one has it: a resource's is the first upstream, by name
			}
			seen[shown] = true
			if n++; n > 1 {
				b.WriteByte(',')
			}
			b.Write(raw)
		}
	}
	b.WriteString("]}")
	return b.Bytes()
}

// byName relays a call whose upstream is told by the name in its parameters.
func (c *session) byName(ctx context.Context, m *jsonrpc.Message, on stream) (json.RawMessage, error) {
	name, err := memberOf(m, "name")
	if err != nil {
		return nil, err
	}
	c.view.await(ctx, c.server.options.Upstreams, name)
	u, inner, err := c.view.resolve(c.server.options.Upstreams, name)
	if err != nil {
		return nil, err
	}
	params := m.Params
	if inner != name {
		prefix, isPrefix := strings.CutSuffix(name, inner)
		if members := m.Members(); isPrefix && members.CutPrefix("name", prefix) {
			m.Params, params = members.Raw, members.Raw
		} else {
			params = rename(params, inner)
		}
	}
	return c.relay(ctx, u, c.call(m, params, on, m.Method == "prompts/get" || repeatable(u.Catalog(), inner)))
}

// repeatable reports whether the tool says that calling it twice does no harm.
func repeatable(catalog *relay.Catalog, tool string) bool {
	for i := range catalog.Tools {
		if item := &catalog.Tools[i]; item.Name == tool {
			return item.Repeatable
		}
	}
	return false
}

// complete relays a completion to the upstream of the prompt or resource.
func (c *session) complete(ctx context.Context, m *jsonrpc.Message, on stream) (json.RawMessage, error) {
	ref := jsonrpc.Member(m.Params, "ref")
	if ref == nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameter ref is missing")
	}
	all := c.server.options.Upstreams
	if name, err := member(ref, "name"); err == nil {
		c.view.await(ctx, all, name)
		u, inner, err := c.view.resolve(all, name)
		if err != nil {
			return nil, err
		}
		params := m.Params
		if inner != name {
			params = replaceMember(m.Params, "ref", rename(ref, inner))
		}
		return c.relay(ctx, u, c.call(m, params, on, true))
	}
	uri, err := member(ref, "uri")
	if err != nil {
		return nil, err
	}
	for _, u := range c.view.upstreams(all) {
		for _, item := range slices.Concat(u.Catalog().ResourceTemplates, u.Catalog().Resources) {
			if item.Name == uri {
				return c.relay(ctx, u, c.call(m, m.Params, on, true))
			}
		}
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "no upstream has the template %q", uri)
}

func has(capabilities json.RawMessage, name string) bool {
	return jsonrpc.Member(capabilities, name) != nil
}

// member reads one string member of an object.
func member(object json.RawMessage, name string) (string, error) {
	value, ok := jsonrpc.String(object, name)
	if !ok {
		return "", jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameter %s is missing or no string", name)
	}
	return value, nil
}

// memberOf reads one string of a request's parameters.
func memberOf(m *jsonrpc.Message, name string) (string, error) {
	value, ok := m.Members().String(name)
	if !ok {
		return "", jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "the parameter %s is missing or no string", name)
	}
	return value, nil
}
