package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// separator stands between an upstream's name and the name of its tool or prompt.
const separator = "__"

// What the interfaces of models take as the name of a tool: one that is longer, or has
// another character in it, makes them refuse the whole request.
var (
	usable = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	odd    = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
)

// fitted is how a name that was made to fit ends; nameLength is how long one may be, and
// digits how many of its hash it has.
var fitted = regexp.MustCompile(`_x[0-9a-f]{10}$`)

const (
	nameLength = 64
	digits     = 10
)

// metaName is where an item whose name was made to fit says the whole name.
const metaName = "mcpproxy/name"

// fits reports whether models can be given a name as it is. One that looks as if it had
// been made to fit cannot, so that none can be mistaken for another.
func fits(whole string) bool { return usable.MatchString(whole) && !fitted.MatchString(whole) }

// fit makes a name one that models can be given: what can stay of it with the begin of a
// hash of what it stands for, which depends on nothing else.
func fit(upstream, name string) string {
	sum := sha256.Sum256([]byte(upstream + "\x00" + name))
	return sanitized(upstream+separator+name) + "_x" + hex.EncodeToString(sum[:])[:digits]
}

// sanitized is what can stay of a name.
func sanitized(name string) string {
	stays := odd.ReplaceAllString(name, "_")
	return stays[:min(len(stays), nameLength-len("_x")-digits)]
}

// named is the name under which a client of all upstreams knows a tool or prompt of one:
// with the upstream's before it, where that fits and is not read as another upstream's.
func named(all relay.Upstreams, u relay.Upstream, name string) string {
	whole := u.Name() + separator + name
	if fits(whole) {
		if _, inner, ok := split(all, whole); ok && inner == name {
			return whole
		}
	}
	return fit(u.Name(), name)
}

// split finds the upstream whose name is before a tool's or prompt's. The longest one wins
// where one upstream's name begins another's. Separators may overlap.
func split(all relay.Upstreams, whole string) (u relay.Upstream, name string, ok bool) {
	for at := len(whole) - len(separator); at > 0; at-- {
		if strings.HasPrefix(whole[at:], separator) {
			if u, ok := all.Upstream(whole[:at]); ok {
				return u, whole[at+len(separator):], true
			}
		}
	}
	return nil, "", false
}

// item is how a client sees a tool or prompt. One whose name was made to fit has the
// whole name as its title, where it has none, and in its _meta.
func item(raw json.RawMessage, shown string, u relay.Upstream, name string) json.RawMessage {
	raw = rename(raw, shown)
	whole := u.Name() + separator + name
	if shown == whole {
		return raw
	}
	quoted, _ := json.Marshal(name) // strings always encode
	if jsonrpc.Member(raw, "title") == nil {
		raw = jsonrpc.Put(raw, quoted, "title")
	}
	quoted, _ = json.Marshal(whole)
	return jsonrpc.Put(raw, quoted, "_meta", metaName)
}

// resolve finds the upstream of a tool or prompt, and its name there. A name that was
// made to fit is looked for in the upstreams' lists.
func (v view) resolve(all relay.Upstreams, name string) (relay.Upstream, string, error) {
	if v.only != "" {
		if u, ok := all.Upstream(v.only); ok {
			return u, name, nil
		}
	}
	if v.only == "" && fitted.MatchString(name) {
		for _, u := range v.candidates(all, name) {
			if inner, ok := whole(all, u, name); ok {
				return u, inner, nil
			}
		}
	}
	if u, inner, ok := split(all, name); ok && v.only == "" {
		return u, inner, nil
	}
	return nil, "", jsonrpc.Errorf(jsonrpc.CodeInvalidParams, "unknown name %q: names here are <upstream>%s<name>", name, separator)
}

// candidates are the upstreams of which a name that was made to fit may be.
func (v view) candidates(all relay.Upstreams, name string) []relay.Upstream {
	stays := fitted.ReplaceAllString(name, "")
	return slices.DeleteFunc(v.upstreams(all), func(u relay.Upstream) bool {
		return !strings.HasPrefix(stays, sanitized(u.Name()+separator))
	})
}

// whole finds what a name was made to fit from.
func whole(all relay.Upstreams, u relay.Upstream, name string) (string, bool) {
	for _, items := range [][]relay.Item{u.Catalog().Tools, u.Catalog().Prompts} {
		for i := range items {
			if named(all, u, items[i].Name) == name {
				return items[i].Name, true
			}
		}
	}
	return "", false
}

// await waits within ctx for the lists without which a name that was made to fit cannot
// be resolved: those that were never read. That one cannot be read is the call's to say.
func (v view) await(ctx context.Context, all relay.Upstreams, name string) {
	if v.only != "" || !fitted.MatchString(name) {
		return
	}
	for _, u := range v.candidates(all, name) {
		if u.Catalog().Generation == 0 {
			_, _ = u.Call(ctx, relay.Call{Method: "ping", Safe: true})
		}
	}
}
