package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// Requests that no MCP client of this machine makes are refused before anything is read.
func TestGuards(t *testing.T) {
	a, _ := twoUpstreams()
	open := serve(t, proxy.Options{Upstreams: fakes{a}, AllowedHosts: []string{"proxy.example"}})
	shared := serve(t, proxy.Options{Upstreams: fakes{a}, AllowedOrigins: []string{"https://app.example"}})
	locked := serve(t, proxy.Options{Upstreams: fakes{a}, Token: credential.NewSecret("a long enough token")})
	for _, test := range []struct {
		name    string
		face    *face
		headers []string
		want    int
	}{
		{"a client", open, nil, http.StatusOK},
		{"another host (DNS rebinding)", open, []string{"Host", "evil.example"}, http.StatusForbidden},
		{"a host that is allowed", open, []string{"Host", "proxy.example"}, http.StatusOK},
		{"the address that it listens on, without a token", open, []string{"Host", "192.0.2.7:8930"}, http.StatusForbidden},
		{"fault J2: the address that it listens on", locked, []string{"Host", "192.0.2.7:8930", "Authorization", "Bearer a long enough token"}, http.StatusOK},
		{"fault J2: an IPv6 address", locked, []string{"Host", "[2001:db8::7]:8930", "Authorization", "Bearer a long enough token"}, http.StatusOK},
		{"another host, with a token", locked, []string{"Host", "evil.example", "Authorization", "Bearer a long enough token"}, http.StatusForbidden},
		{"localhost by name", open, []string{"Host", "localhost:1"}, http.StatusOK},
		{"a web page", open, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"a page of an allowed origin", shared, []string{"Origin", "https://app.example"}, http.StatusOK},
		{"a page of another port there", shared, []string{"Origin", "https://app.example:444"}, http.StatusForbidden},
		{"a page of an address, with a token", locked, []string{"Origin", "http://192.0.2.7", "Authorization", "Bearer a long enough token"}, http.StatusForbidden},
		{"a page without an origin", open, []string{"Origin", "null"}, http.StatusForbidden},
		{"a page of this machine", open, []string{"Origin", "http://localhost:3000"}, http.StatusOK},
		{"no token", locked, nil, http.StatusUnauthorized},
		{"another token", locked, []string{"Authorization", "Bearer another token"}, http.StatusUnauthorized},
		{"the token", locked, []string{"Authorization", "Bearer a long enough token"}, http.StatusOK},
		{"an unknown revision", open, []string{"Mcp-Protocol-Version", "2024-01-01"}, http.StatusBadRequest},
		{"an upstream that is not there", open.at("/nobody"), nil, http.StatusNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			if status, body := test.face.post(initializeBody, test.headers...); status != test.want {
				t.Errorf("%d %s, want %d", status, body, test.want)
			}
		})
	}
}

// fault J16: browsers let pages of an allowed origin call and read, and no others.
func TestPagesOfAllowedOriginsMayCall(t *testing.T) {
	a, _ := twoUpstreams()
	s := proxy.New(proxy.Options{Upstreams: fakes{a}, AllowedOrigins: []string{"https://app.example"},
		Token: credential.NewSecret("a long enough token")})
	t.Cleanup(s.Close)
	handler := s.Handler()
	ask := func(method, origin string, more ...string) *http.Response {
		r := httptest.NewRequest(method, "http://127.0.0.1/mcp", nil)
		r.Header.Set("Origin", origin)
		for i := 0; i < len(more); i += 2 {
			r.Header.Set(more[i], more[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	preflight := ask(http.MethodOptions, "https://app.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers",
		"authorization,mcp-session-id")
	if preflight.StatusCode != http.StatusNoContent || preflight.Header.Get("Access-Control-Allow-Origin") != "https://app.example" ||
		preflight.Header.Get("Access-Control-Allow-Headers") != "authorization,mcp-session-id" ||
		!strings.Contains(preflight.Header.Get("Access-Control-Allow-Methods"), "DELETE") {
		t.Errorf("the preflight is answered %s %v", preflight.Status, preflight.Header)
	}
	refused := ask(http.MethodPost, "https://app.example")
	if refused.StatusCode != http.StatusUnauthorized || refused.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("a call without a token is answered %s %v, which the page cannot read", refused.Status, refused.Header)
	}
	for _, origin := range []string{"https://other.example", "http://app.example", "null"} {
		if answer := ask(http.MethodOptions, origin, "Access-Control-Request-Method", "POST"); answer.StatusCode != http.StatusForbidden ||
			answer.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s is answered %s %v", origin, answer.Status, answer.Header)
		}
	}
}

// Who opens another address is told which ones there are.
func TestOtherAddressesSayWhereThingsAre(t *testing.T) {
	f := serve(t, proxy.Options{Upstreams: fakes{}})
	for _, path := range []string{"/", "/../", "/../sse"} {
		if status, body := f.at(path).post(initializeBody); status != http.StatusNotFound || !strings.Contains(body, "/mcp") ||
			!strings.Contains(body, "mcpproxy ui") {
			t.Errorf("%s answers %d %s", path, status, body)
		}
	}
}

func TestListenElsewhereNeedsAToken(t *testing.T) {
	if l, err := proxy.Listen("0.0.0.0:0", credential.Secret{}); err == nil {
		l.Close()
		t.Error("it listens to the network without a token")
	} else if !strings.Contains(err.Error(), "--token-file") {
		t.Errorf("the error does not say what to do: %v", err)
	}
	for _, address := range []string{"127.0.0.1", "127.0.0.1:99999"} {
		if _, err := proxy.Listen(address, credential.Secret{}); err == nil || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What is no message is answered with the code of its mistake and begins nothing.
func TestBadMessages(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	for _, test := range []struct{ body, want string }{
		{`{"jsonrpc":`, `"code":-32700`},
		{``, `"code":-32700`},
		{`{"jsonrpc":"2.0","id":1}`, `"code":-32600`},
		{`{"jsonrpc":"1.0","id":1,"method":"initialize"}`, `"code":-32600`},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","method":"initialize"}`, `"code":-32600`},
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, `"code":-32600`},
	} {
		response := f.do(http.MethodPost, test.body)
		if response.StatusCode != http.StatusBadRequest || response.Header.Get("Mcp-Session-Id") != "" {
			t.Errorf("%s: %s", test.body, response.Status)
		}
		if _, body := f.post(test.body); !strings.Contains(body, test.want) {
			t.Errorf("%s: %s, want %s", test.body, body, test.want)
		}
	}
}

func TestSessionLifeCycle(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	if status, _ := f.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); status != http.StatusBadRequest {
		t.Errorf("without a session: %d", status)
	}
	if response := f.do(http.MethodPost, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":7}`); response.Header.Get("Mcp-Session-Id") != "" {
		t.Error("an initialize that failed began a session")
	}
	f.initialize()
	if status, body := f.post(initializeBody); status != http.StatusBadRequest || !strings.Contains(body, "is initialized") {
		t.Errorf("a second initialize: %d %s", status, body)
	}
	stream := events(f.do(http.MethodGet, ""))
	if status := f.do(http.MethodDelete, "").StatusCode; status != http.StatusNoContent {
		t.Errorf("DELETE: %d", status)
	}
	if data := stream(); data != "" {
		t.Errorf("after the end the stream says %s", data)
	}
	if status, _ := f.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); status != http.StatusNotFound {
		t.Errorf("after the end: %d", status)
	}
}

// What an upstream says outside calls comes on the session's own stream; a second
// stream takes over, and gives back when it ends.
func TestNotificationsComeOnTheSessionsStream(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}}).initialize()
	first := events(f.do(http.MethodGet, ""))
	a.watcher("notifications/tools/list_changed", nil)
	if got := first(); got != `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}` {
		t.Errorf("the first stream says %s", got)
	}
	response := f.do(http.MethodGet, "")
	second := events(response)
	a.watcher("notifications/message", json.RawMessage(`{"level":"info","data":1.0}`))
	if got := second(); got != `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1.0}}` {
		t.Errorf("the second stream says %s", got)
	}
}

// A call's own messages come before its result, and a server's question is
// answered by the client that made the call.
func TestCallsCarryNotificationsAndQuestions(t *testing.T) {
	a, _ := twoUpstreams()
	a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		c.Notify("notifications/progress", json.RawMessage(`{"progressToken":"p","progress":1}`))
		answer, err := c.Ask(ctx, "elicitation/create", json.RawMessage(`{"message":"?"}`))
		if err != nil {
			return nil, err
		}
		return json.RawMessage(`{"answered":` + string(answer) + `}`), nil
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}}).initialize()
	next := events(f.do(http.MethodPost, `{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"a__echo"}}`))
	if got := next(); got != `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}` {
		t.Errorf("first came %s", got)
	}
	var question struct {
		ID     json.RawMessage
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal([]byte(next()), &question); err != nil || question.Method != "elicitation/create" || string(question.Params) != `{"message":"?"}` {
		t.Fatalf("then came %+v, %v", question, err)
	}
	if status, _ := f.post(`{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"n":1.0}}`); status != http.StatusAccepted {
		t.Errorf("the answer: %d", status)
	}
	if got := next(); got != `{"jsonrpc":"2.0","id":"call","result":{"answered":{"n":1.0}}}` {
		t.Errorf("last came %s", got)
	}
}

// A client that cancels a call cancels it at the upstream, and gets no answer.
func TestCancellation(t *testing.T) {
	a, _ := twoUpstreams()
	begun, ended := make(chan struct{}), make(chan error, 1)
	a.answer = func(ctx context.Context, _ relay.Call) (json.RawMessage, error) {
		close(begun)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}}).initialize()
	answered := make(chan int, 1)
	go func() {
		status, _ := f.post(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a__echo"}}`)
		answered <- status
	}()
	<-begun
	if _, body := f.post(`{"jsonrpc":"2.0","id":7,"method":"ping"}`); !strings.Contains(body, "is being carried out already") {
		t.Errorf("a second request of the same id: %s", body)
	}
	f.post(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}`)
	if err := <-ended; err == nil || <-answered != http.StatusAccepted {
		t.Errorf("the call ended with %v", err)
	}
}

// That a connection breaks cancels no call in a session, whose client says when it does
// not want one any more; without a session it is how that is said.
func TestABrokenConnection(t *testing.T) {
	a, _ := twoUpstreams()
	begun, ended, release := make(chan string, 2), make(chan error, 2), make(chan struct{})
	a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		begun <- c.Method
		select {
		case <-ctx.Done():
		case <-release:
		}
		ended <- context.Cause(ctx)
		return json.RawMessage("{}"), context.Cause(ctx)
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	session := f.at("").initialize()
	broken := func(f *face, meta string, headers ...string) {
		ctx, leave := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, strings.NewReader(`{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a__echo"`+meta+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		gone := make(chan error, 1)
		go func() {
			_, err := http.DefaultClient.Do(request)
			gone <- err
		}()
		<-begun
		leave()
		if err := <-gone; err == nil {
			t.Error("the call was answered")
		}
	}
	broken(session, "", "Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Mcp-Session-Id", session.session)
	broken(f, `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`,
		"Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "a__echo")
	if err := <-ended; err == nil {
		t.Error("the call without a session went on")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("the call in the session ended with %v", err)
	}
}

// A session that stops listening to a resource does not silence the others.
func TestResourceSubscriptionsAreCounted(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	one, other := f.at("").initialize(), f.at("").initialize()
	one.call("resources/subscribe", `{"uri":"a://one"}`)
	other.call("resources/subscribe", `{"uri":"a://one"}`)
	one.call("resources/unsubscribe", `{"uri":"a://one"}`)
	if said := strings.Join(a.said(), "; "); strings.Contains(said, "unsubscribe") {
		t.Errorf("with one still listening: %s", said)
	}
	other.call("resources/unsubscribe", `{"uri":"a://one"}`)
	if said := a.said(); said[len(said)-1] != `resources/unsubscribe {"uri":"a://one"}` {
		t.Errorf("with nobody listening: %q", said)
	}
	a.mu.Lock()
	a.calls = nil
	a.mu.Unlock()
	one.call("resources/subscribe", `{"uri":"a://one"}`)
	one.do(http.MethodDelete, "")
	a.await(t, `resources/subscribe {"uri":"a://one"}`, `resources/unsubscribe {"uri":"a://one"}`)
}
