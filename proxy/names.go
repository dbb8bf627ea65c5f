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

// fit makes a name one that models can be given: as it is where that will do, and else
// what can stay of it with the begin of its hash, which depends on nothing else. A name
// that looks as if it had been made to fit is made to fit itself, so that none can be
// mistaken for another.
func fit(name string) string {
	if usable.MatchString(name) && !fitted.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return sanitized(name) + "_x" + hex.EncodeToString(sum[:])[:digits]
}

// sanitized is what can stay of a name.
func sanitized(name string) string {
	stays := odd.ReplaceAllString(name, "_")
	return stays[:min(len(stays), nameLength-len("_x")-digits)]
}

// named is the name under which a client knows an upstream's tool or prompt.
func (v view) named(u relay.Upstream, name string) string {
	if v.only != "" {
		return name
	}
	return fit(u.Name() + separator + name)
}

// item is how a client sees a tool or prompt. One whose name was made to fit has the
// whole name as its title, where it has none, and in its _meta.
func (v view) item(u relay.Upstream, raw json.RawMessage, name string) json.RawMessage {
	if v.only != "" {
		return raw
	}
	shown, whole := v.named(u, name), u.Name()+separator+name
	raw = rename(raw, "name", shown)
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
			if inner, ok := v.whole(u, name); ok {
				return u, inner, nil
			}
		}
	}
	// The longest name wins where one upstream's name begins another's. Separators
	// may overlap.
	for at := len(name) - len(separator); v.only == "" && at > 0; at-- {
		if strings.HasPrefix(name[at:], separator) {
			if u, ok := all.Upstream(name[:at]); ok {
				return u, name[at+len(separator):], nil
			}
		}
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
func (v view) whole(u relay.Upstream, name string) (string, bool) {
	for _, items := range [][]relay.Item{u.Catalog().Tools, u.Catalog().Prompts} {
		for i := range items {
			if v.named(u, items[i].Name) == name {
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
