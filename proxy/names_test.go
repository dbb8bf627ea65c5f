package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// listed are the names and the items of the list of tools behind /mcp.
func listed(t *testing.T, f *face) (names []string, items map[string]map[string]any) {
	t.Helper()
	var answer struct {
		Result struct{ Tools []map[string]any }
	}
	if err := json.Unmarshal([]byte(f.call("tools/list", "{}")), &answer); err != nil {
		t.Fatal(err)
	}
	items = map[string]map[string]any{}
	for _, tool := range answer.Result.Tools {
		name := tool["name"].(string)
		names, items[name] = append(names, name), tool
	}
	return names, items
}

// The names behind /mcp are such as models can be given (fault J9): 64 characters of
// A-Z, a-z, 0-9, _ and -. What has to be changed for that is changed the same way each
// time, says what it was, and reaches the tool that it stands for.
func TestNamesFitTheInterfacesOfModels(t *testing.T) {
	long := strings.Repeat("list_repository_", 6)
	tools := []string{"plain", "dot.ted", "dot_ted", "dot/ted", "a b", "Grüße", "日本", "", long + "one", long + "two", "emoji 🚀", "new\nline",
		"UPPER", "upper"}
	usable := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	for _, upstream := range []string{"a", "dotted.name", strings.Repeat("n", 64)} {
		u := &fake{name: upstream, catalog: relay.Catalog{Generation: 1}}
		for _, tool := range tools {
			quoted, _ := json.Marshal(tool)
			u.catalog.Tools = append(u.catalog.Tools, relay.Item{Name: tool, Raw: json.RawMessage(fmt.Sprintf(`{"name":%s,"extra":1.0}`, quoted))})
		}
		f := serve(t, proxy.Options{Upstreams: fakes{u}}).initialize()
		names, items := listed(t, f)
		if len(items) != len(tools) {
			t.Errorf("%s: %d tools have %d names: %q", upstream, len(tools), len(items), names)
		}
		for i, name := range names {
			if !usable.MatchString(name) {
				t.Errorf("%s: %q is called %q", upstream, tools[i], name)
			}
			whole := upstream + "__" + tools[i]
			meta, _ := items[name]["_meta"].(map[string]any)
			if changed := name != whole; changed != (meta["mcpproxy/name"] == whole) || changed != (items[name]["title"] == tools[i]) {
				t.Errorf("%s: %q is called %q and says of it %v, %v", upstream, whole, name, meta, items[name]["title"])
			}
			quoted, _ := json.Marshal(tools[i])
			f.call("tools/call", `{"name":"`+name+`","arguments":{"n":1.50}}`)
			said := u.said()
			if got, want := said[len(said)-1], `tools/call {"name":`+string(quoted)+`,"arguments":{"n":1.50}}`; got != want {
				t.Errorf("%s: a call of %q reached as\n%s, want\n%s", upstream, name, got, want)
			}
		}
	}
}

// A name is made to fit without regard to what else there is, and a title that a server
// gave stays. A tool that is called as if its name had been made to fit is not mistaken
// for the one that it looks like.
func TestAFittedNameIsStable(t *testing.T) {
	name := func(u *fake, which int) string {
		names, _ := listed(t, serve(t, proxy.Options{Upstreams: fakes{u}}).initialize())
		return names[which]
	}
	tool := func(name string) relay.Item {
		return relay.Item{Name: name, Raw: json.RawMessage(`{"name":"` + name + `","title":"Its own"}`)}
	}
	alone := &fake{name: "a", catalog: relay.Catalog{Generation: 1, Tools: []relay.Item{tool("do.it")}}}
	fit := name(alone, 0)
	if fit != "a__do_it_x"+fit[len(fit)-10:] {
		t.Errorf("the name is %q", fit)
	}
	posing := strings.TrimPrefix(fit, "a__")
	among := &fake{name: "a", catalog: relay.Catalog{Generation: 1, Tools: []relay.Item{tool(posing), tool("x"), tool("do.it")}}}
	if got := name(among, 2); got != fit {
		t.Errorf("among others it is %q, alone %q", got, fit)
	}
	if got := name(among, 0); got == fit {
		t.Errorf("two tools are called %q", got)
	}
	f := serve(t, proxy.Options{Upstreams: fakes{among}}).initialize()
	f.call("tools/call", `{"name":"`+fit+`"}`)
	if said := among.said(); said[0] != `tools/call {"name":"do.it"}` {
		t.Errorf("a call of %q reached as %q", fit, said)
	}
	_, items := listed(t, f)
	if title := items[fit]["title"]; title != "Its own" {
		t.Errorf("the title is %v", title)
	}
	// One upstream by itself has its own names.
	if names, _ := listed(t, serve(t, proxy.Options{Upstreams: fakes{alone}}).at("/a").initialize()); names[0] != "do.it" {
		t.Errorf("at /mcp/a the name is %q", names[0])
	}
}

// A call by a fitted name right after the start waits for the lists, as other calls wait
// for the connection.
func TestAFittedNameBeforeTheListsAreRead(t *testing.T) {
	lists := relay.Catalog{Generation: 1, Tools: []relay.Item{{Name: "do.it", Raw: json.RawMessage(`{"name":"do.it"}`)}}}
	known := &fake{name: "a", catalog: lists}
	names, _ := listed(t, serve(t, proxy.Options{Upstreams: fakes{known}}).initialize())
	cold := &fake{name: "a"}
	cold.answer = func(_ context.Context, c relay.Call) (json.RawMessage, error) {
		if c.Method == "ping" {
			cold.catalog = lists
		}
		return json.RawMessage("{}"), nil
	}
	serve(t, proxy.Options{Upstreams: fakes{cold}}).initialize().call("tools/call", `{"name":"`+names[0]+`"}`)
	if said := cold.said(); said[len(said)-1] != `tools/call {"name":"do.it"}` {
		t.Errorf("it reached as %q", said)
	}
	// One that is nobody's is an error that names how names are.
	if got := serve(t, proxy.Options{Upstreams: fakes{known}}).initialize().call("tools/call", `{"name":"c__no_x0123456789"}`); !strings.Contains(got, fmt.Sprint(jsonrpc.CodeInvalidParams)) {
		t.Errorf("an unknown name: %s", got)
	}
}

// No two names meet, where one upstream's name begins another's and where a server lists a
// name twice: models are refused by their interfaces for that, too (fault J9). Each name
// reaches what it is described as.
func TestNoTwoNamesMeet(t *testing.T) {
	tools := func(upstream string, names ...string) *fake {
		u := &fake{name: upstream, catalog: relay.Catalog{Generation: 1}}
		for _, name := range names {
			u.catalog.Tools = append(u.catalog.Tools, relay.Item{Name: name, Raw: json.RawMessage(fmt.Sprintf(`{"name":%q,"description":%q}`, name, upstream+" "+name))})
		}
		return u
	}
	all := fakes{tools("bank", "_pay", "_pay.", "pay", "pay", "__pay"), tools("bank_", "pay", "pay.", "_pay"), tools("bank__", "pay"),
		tools("dot.ted", "pay"), tools("dot_ted", "pay")}
	f := serve(t, proxy.Options{Upstreams: all}).initialize()
	names, items := listed(t, f)
	if len(names) != 10 || len(items) != 10 {
		t.Errorf("%d names, %d of them different: %q", len(names), len(items), names)
	}
	for name, item := range items {
		upstream, inner, _ := strings.Cut(item["description"].(string), " ")
		u, _ := all.Upstream(upstream)
		before := len(u.(*fake).said())
		f.call("tools/call", `{"name":"`+name+`"}`)
		if said := u.(*fake).said(); len(said) != before+1 || said[before] != `tools/call {"name":"`+inner+`"}` {
			t.Errorf("%s, which is %s of %s, reached it as %q", name, inner, upstream, said[before:])
		}
	}
}
