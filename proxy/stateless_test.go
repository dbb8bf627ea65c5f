package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// A request of the stateless protocol needs no session, and its headers have to
// agree with it.
func TestStatelessRequests(t *testing.T) {
	a, b := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a, b}, Version: "1"})
	if status, body := f.stateless("server/discover", "{}"); status != http.StatusOK || !strings.Contains(body, `"supportedVersions":["2026-07-28","2025-11-25"`) {
		t.Errorf("server/discover: %d %s", status, body)
	}
	status, body := f.stateless("tools/call", `{"name":"b__echo"}`, "Mcp-Name", "b__echo")
	if status != http.StatusOK || !strings.Contains(body, `"from":"b"`) || !strings.Contains(body, `"resultType":"complete"`) {
		t.Errorf("tools/call: %d %s", status, body)
	}
	for _, test := range []struct {
		name, method, params string
		headers              []string
		status               int
		code                 string
	}{
		{"another method in the header", "tools/list", "{}", []string{"Mcp-Method", "ping"}, http.StatusBadRequest, "-32020"},
		{"another name in the header", "tools/call", `{"name":"b__echo"}`, []string{"Mcp-Name", "a__echo"}, http.StatusBadRequest, "-32020"},
		{"no name in the header", "tools/call", `{"name":"b__echo"}`, nil, http.StatusBadRequest, "-32020"},
		{"another version in the header", "tools/list", "{}", []string{"Mcp-Protocol-Version", "2026-07-29"}, http.StatusBadRequest, "-32020"},
		{"a method of earlier revisions", "ping", "{}", nil, http.StatusNotFound, "-32601"},
		{"an unknown resource", "resources/read", `{"uri":"c://"}`, []string{"Mcp-Name", "c://"}, http.StatusBadRequest, "-32602"},
	} {
		if status, body := f.stateless(test.method, test.params, test.headers...); status != test.status || !strings.Contains(body, `"code":`+test.code) {
			t.Errorf("%s: %d %s, want %d and %s", test.name, status, body, test.status, test.code)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if response := f.do(method, "", "Mcp-Protocol-Version", "2026-07-28"); response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
			t.Errorf("%s: %s", method, response.Status)
		}
	}
}

// What a server of an earlier revision asks during a call becomes a result that
// asks for input; the call goes on with the request that is sent again.
func TestQuestionsBecomeResultsThatAskForInput(t *testing.T) {
	a, _ := twoUpstreams()
	a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		answer, err := c.Ask(ctx, "elicitation/create", json.RawMessage(`{"message":"name?"}`))
		if err != nil {
			return nil, err
		}
		return json.RawMessage(`{"hello":` + string(answer) + `}`), nil
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	ask := func(params string) string {
		_, body := f.stateless("tools/call", params, "Mcp-Name", "a__echo")
		return body
	}
	var first struct {
		Result struct {
			Type     string `json:"resultType"`
			Requests map[string]struct{ Method string }
			State    string `json:"requestState"`
		}
	}
	if err := json.Unmarshal([]byte(strings.Replace(ask(`{"name":"a__echo"}`), "inputRequests", "Requests", 1)), &first); err != nil {
		t.Fatal(err)
	}
	if r := first.Result; r.Type != "input_required" || r.Requests["input-1"].Method != "elicitation/create" {
		t.Fatalf("the first answer is %+v", r)
	}
	again := func(state string) string {
		return ask(`{"name":"a__echo","requestState":"` + state + `","inputResponses":{"input-1":{"action":"accept","content":{"name":"x"}}}}`)
	}
	if got := again("mcpproxy:made-up"); !strings.Contains(got, "-32602") {
		t.Errorf("a made-up state: %s", got)
	}
	if got := again(first.Result.State); !strings.Contains(got, `"hello":{"action":"accept","content":{"name":"x"}}`) {
		t.Errorf("the call ended with %s", got)
	}
	if got := again(first.Result.State); !strings.Contains(got, "-32602") {
		t.Errorf("a state that was used: %s", got)
	}
}

// A client is not asked what it does not say that it can answer, whichever protocol
// it speaks: a form counts as left without a choice, anything else is refused.
func TestQuestionsThatTheClientCannotAnswer(t *testing.T) {
	a, _ := twoUpstreams()
	a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		answer, err := c.Ask(ctx, strings.Trim(string(jsonrpc.Member(c.Params, "ask")), `"`), nil)
		return json.RawMessage(`{"answer":` + string(answer) + `}`), err
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	session, without := f.at("/a"), f.at("/a")
	session.capabilities, without.capabilities = `{}`, `{}`
	session.initialize()
	for ask, want := range map[string]string{
		"elicitation/create":     `"answer":{"action":"cancel"}`,
		"sampling/createMessage": `"code":-32601`,
		"roots/list":             `"code":-32601`,
	} {
		params := `{"name":"echo","ask":"` + ask + `"}`
		if got := session.call("tools/call", params); !strings.Contains(got, want) {
			t.Errorf("%s in a session: %s", ask, got)
		}
		if _, got := without.stateless("tools/call", params, "Mcp-Name", "echo"); !strings.Contains(got, want) {
			t.Errorf("%s without one: %s", ask, got)
		}
	}
}

// A client hears what it asked to hear, and nothing else.
func TestSubscriptions(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	body := `{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a://one","a://unknown"]},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	next := events(f.do(http.MethodPost, body, "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen"))
	if got := next(); !strings.Contains(got, "notifications/subscriptions/acknowledged") || !strings.Contains(got, `"resourceSubscriptions":["a://one"]`) {
		t.Fatalf("first came %s", got)
	}
	a.watcher("notifications/prompts/list_changed", nil)
	a.watcher("notifications/resources/updated", json.RawMessage(`{"uri":"a://other"}`))
	a.watcher("notifications/resources/updated", json.RawMessage(`{"uri":"a://one"}`))
	if got := next(); got != `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"uri":"a://one"}}` {
		t.Errorf("then came %s", got)
	}
	if said := a.said(); len(said) != 1 || said[0] != `resources/subscribe {"uri":"a://one"}` {
		t.Errorf("the upstream was told %q", said)
	}
}
