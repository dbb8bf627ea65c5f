package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
		if response := f.do(method, "", "Mcp-Protocol-Version", "2026-07-28"); response.StatusCode != http.StatusMethodNotAllowed ||
			response.Header.Get("Allow") != http.MethodPost {
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
	elsewhere := func() string {
		_, body := f.at("/a").stateless("tools/call", `{"name":"echo","requestState":"`+first.Result.State+`","inputResponses":{"input-1":{}}}`, "Mcp-Name", "echo")
		return body
	}
	if got := elsewhere(); !strings.Contains(got, "-32602") {
		t.Errorf("a state of a call at another path: %s", got)
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
	response := f.do(http.MethodPost, body, "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen")
	next, leave := events(response), func() { _ = response.Body.Close() }
	if got := next(); !strings.Contains(got, "notifications/subscriptions/acknowledged") || !strings.Contains(got, `"resourceSubscriptions":["a://one"]`) {
		t.Fatalf("first came %s", got)
	}
	a.watcher("notifications/prompts/list_changed", nil)
	a.watcher("notifications/resources/updated", json.RawMessage(`{"uri":"a://other"}`))
	a.watcher("notifications/resources/updated", json.RawMessage(`{"uri":"a://one"}`))
	if got := next(); got != `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"uri":"a://one"}}` {
		t.Errorf("then came %s", got)
	}
	a.watcher("notifications/tools/list_changed", nil)
	if got := next(); got != `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"}}}` {
		t.Errorf("last came %s", got)
	}
	leave()
	a.await(t, `resources/subscribe {"uri":"a://one"}`, `resources/unsubscribe {"uri":"a://one"}`)
}

// A call whose client does not send the input that its server asked for is given up,
// and its server is told.
func TestInputThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := twoUpstreams()
		ended := make(chan error, 1)
		a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
			answer, err := c.Ask(ctx, "elicitation/create", json.RawMessage(`{"message":"name?"}`))
			ended <- context.Cause(ctx)
			return answer, err
		}
		p := proxy.New(proxy.Options{Upstreams: fakes{a}})
		defer p.Close()
		post := func(more string) string {
			body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__echo"` + more + `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}}`
			request := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/mcp", strings.NewReader(body))
			for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
				"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "a__echo"} {
				request.Header.Set(name, value)
			}
			response := httptest.NewRecorder()
			p.Handler().ServeHTTP(response, request)
			return response.Body.String()
		}
		state, _ := jsonrpc.String(jsonrpc.Member(json.RawMessage(post("")), "result"), "requestState")
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if len(ended) > 0 || state == "" {
			t.Fatalf("the call has ended with %v, or does not wait: %q", <-ended, state)
		}
		time.Sleep(time.Minute)
		if err := <-ended; err == nil {
			t.Error("the call goes on")
		}
		if got := post(`,"requestState":"` + state + `","inputResponses":{"input-1":{"action":"accept"}}`); !strings.Contains(got, "-32602") {
			t.Errorf("too late: %s", got)
		}
	})
}

// What an upstream says that it has besides the protocol is offered where every method
// is passed on to it, and nowhere else.
func TestExtensionsAreOfferedWhereTheyAreServed(t *testing.T) {
	a, b := twoUpstreams()
	a.catalog.Capabilities = json.RawMessage(`{"tools":{},"extensions":{"x.example/y":{}},"experimental":{"z":{}}}`)
	all := serve(t, proxy.Options{Upstreams: fakes{a, b}})
	for _, test := range []struct {
		face    *face
		offered bool
	}{{all, false}, {all.at("/a"), true}, {all.at("/b"), false}} {
		_, inSession := test.face.post(initializeBody)
		_, discovered := test.face.stateless("server/discover", "{}")
		for _, answer := range []string{inSession, discovered} {
			if strings.Contains(answer, "x.example/y") != test.offered || strings.Contains(answer, `"experimental"`) != test.offered {
				t.Errorf("%s: %s", test.face.url, answer)
			}
		}
		if _, got := test.face.stateless("x.example/y", "{}"); strings.Contains(got, `"from":"a"`) != test.offered || strings.Contains(got, "-32601") == (test.offered || strings.HasSuffix(test.face.url, "/b")) {
			t.Errorf("%s: %s", test.face.url, got)
		}
	}
}

// What may be kept says for how long and by whom. What several upstreams make up together
// is kept by nobody, whatever each says; what one upstream says of its own stays.
func TestWhatMayBeKept(t *testing.T) {
	a, b := twoUpstreams()
	a.answer = func(context.Context, relay.Call) (json.RawMessage, error) {
		return json.RawMessage(`{"contents":[],"ttlMs":7,"cacheScope":"public"}`), nil
	}
	b.answer = func(context.Context, relay.Call) (json.RawMessage, error) {
		return json.RawMessage(`{"contents":[]}`), nil
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a, b}})
	for _, test := range []struct {
		method, params string
		headers        []string
		scope, life    string
	}{
		{"server/discover", "{}", nil, `"private"`, "0"},
		{"tools/list", "{}", nil, `"private"`, "0"},
		{"prompts/list", "{}", nil, `"private"`, "0"},
		{"resources/list", "{}", nil, `"private"`, "0"},
		{"resources/templates/list", "{}", nil, `"private"`, "0"},
		{"resources/read", `{"uri":"a://one"}`, []string{"Mcp-Name", "a://one"}, `"public"`, "7"},
		{"resources/read", `{"uri":"b://k/x/y"}`, []string{"Mcp-Name", "b://k/x/y"}, `"private"`, "0"},
		{"tools/call", `{"name":"b__echo"}`, []string{"Mcp-Name", "b__echo"}, "", ""},
	} {
		_, body := f.stateless(test.method, test.params, test.headers...)
		scope, life := jsonrpc.Member(json.RawMessage(body), "result", "cacheScope"), jsonrpc.Member(json.RawMessage(body), "result", "ttlMs")
		if string(scope) != test.scope || string(life) != test.life || !strings.Contains(body, `"resultType":"complete"`) {
			t.Errorf("%s %s: %s", test.method, test.params, body)
		}
	}
}
