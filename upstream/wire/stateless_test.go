package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// unattached is a server of the stateless protocol; calls answers what is no discovery.
func unattached(calls func(http.ResponseWriter, *http.Request, *sent)) *recording {
	return &recording{answer: func(w http.ResponseWriter, r *http.Request, s *sent) {
		switch {
		case s.message == nil:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case s.message.Method == "server/discover":
			result(w, s, `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}`)
		default:
			calls(w, r, s)
		}
	}}
}

// Each request of the stateless protocol says for itself what it is: the revision, in
// header and body, who sends it and what it can do, the level of log messages, and a
// request id that no other has. What earlier revisions have besides is not sent.
func TestARequestOfTheStatelessProtocolStandsAlone(t *testing.T) {
	server := unattached(func(w http.ResponseWriter, _ *http.Request, s *sent) {
		result(w, s, `{"resultType":"complete","content":[]}`)
	})
	conn, _, err := connectHTTP(t, server, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []relay.Call{
		{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`), LogLevel: "debug", ClientCapabilities: json.RawMessage(`{"elicitation":{}}`)},
		{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`)},
		{Method: "prompts/get", Params: json.RawMessage(`{"name":"p"}`)},
		{Method: "resources/read", Params: json.RawMessage(`{"uri":"a://é"}`)},
		{Method: "ping"},
		{Method: "logging/setLevel", Params: json.RawMessage(`{"level":"debug"}`)},
	} {
		if _, err := conn.Call(t.Context(), call); err != nil {
			t.Errorf("%s: %v", call.Method, err)
		}
	}
	if err := conn.Notify(t.Context(), "notifications/roots/list_changed", nil); err != nil {
		t.Error(err)
	}
	conn.Close(t.Context())
	if want := []string{"server/discover", "tools/call", "tools/call", "prompts/get", "resources/read"}; !slices.Equal(server.names(), want) {
		t.Errorf("it was sent %q, want %q", server.names(), want)
	}
	ids := map[string]bool{}
	for i, s := range server.all() {
		meta := func(name string) string { return string(s.param("_meta", "io.modelcontextprotocol/"+name)) }
		if meta("protocolVersion") != `"2026-07-28"` || s.header.Get("Mcp-Protocol-Version") != "2026-07-28" {
			t.Errorf("%s is of the revision %s, and in the header of %q", s.name(), meta("protocolVersion"), s.header.Get("Mcp-Protocol-Version"))
		}
		if meta("clientInfo") != `{"name":"t","version":"1"}` || meta("clientCapabilities") == "" {
			t.Errorf("%s is of the client %s that can do %s", s.name(), meta("clientInfo"), meta("clientCapabilities"))
		}
		if want := []string{"", "t", "t", "p", "=?base64?YTovL8OpfA==?="}[i]; s.header.Get("Mcp-Method") != s.message.Method || i < 4 &&
			s.header.Get("Mcp-Name") != want || i == 4 && !strings.HasPrefix(s.header.Get("Mcp-Name"), "=?base64?") {
			t.Errorf("%s has the headers %q and %q", s.name(), s.header.Get("Mcp-Method"), s.header.Get("Mcp-Name"))
		}
		if s.header.Get("Mcp-Session-Id") != "" || ids[string(s.message.ID)] {
			t.Errorf("%s is of the session %q and has the id %s", s.name(), s.header.Get("Mcp-Session-Id"), s.message.ID)
		}
		ids[string(s.message.ID)] = true
	}
	if first := server.await(t, "tools/call", 1); string(first.param("_meta", "io.modelcontextprotocol/logLevel")) != `"debug"` || string(first.param("_meta", "io.modelcontextprotocol/clientCapabilities")) != `{"elicitation":{}}` {
		t.Errorf("the first call says of itself %s", first.param("_meta"))
	}
	if second := server.await(t, "tools/call", 2); second.param("_meta", "io.modelcontextprotocol/logLevel") != nil {
		t.Errorf("the second call says of itself %s", second.param("_meta"))
	}
}

// An error object is the server's answer, under whatever status it comes: an unknown
// method under 404 is no lost session, a missing capability under 400 no login and no
// older server. Nothing else is tried for it.
func TestErrorObjectsUnderAStatusAreAnswers(t *testing.T) {
	for code, status := range map[int]int{-32601: http.StatusNotFound, -32021: http.StatusBadRequest, -32602: http.StatusBadRequest,
		-32002: http.StatusNotFound} {
		server := unattached(func(w http.ResponseWriter, _ *http.Request, s *sent) { refusal(w, s, status, code) })
		conn, _, err := connectHTTP(t, server, "")
		if err != nil {
			t.Fatal(err)
		}
		var object *jsonrpc.Error
		if _, err := conn.Call(t.Context(), relay.Call{Method: "resources/read", Params: json.RawMessage(`{"uri":"a://x"}`)}); !errors.As(err, &object) || object.Code != code || errors.Is(err, wire.ErrSessionLost) {
			t.Errorf("%d: %v", code, err)
		}
		if want := []string{"server/discover", "resources/read"}; !slices.Equal(server.names(), want) {
			t.Errorf("%d: it was sent %q", code, server.names())
		}
	}
}

// A server that does not speak the revision that is offered, and says which it speaks,
// is asked in one of those; one that is asked and answers otherwise speaks an older one.
func TestTheRevisionIsTheServers(t *testing.T) {
	server := sessioned("2025-11-25", nil, nil)
	next := server.answer
	server.answer = func(w http.ResponseWriter, r *http.Request, s *sent) {
		if s.message == nil || s.message.Method != "server/discover" {
			next(w, r, s)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":` + string(s.message.ID) + `,"error":{"code":-32022,"message":"no","data":{"supported":["2025-11-25"]}}}`))
	}
	if _, found, err := connectHTTP(t, server, ""); err != nil || found.ProtocolVersion != "2025-11-25" {
		t.Errorf("%q, %v", found.ProtocolVersion, err)
	}
	if names := server.names(); names[0] != "server/discover" || names[1] != "initialize" {
		t.Errorf("it was sent %q", names)
	}
}

// A result of a type that nobody knows is no result; one without a type is complete.
func TestTypesOfResults(t *testing.T) {
	for kind, taken := range map[string]bool{`{"content":[]}`: true, `{"resultType":"complete","content":[]}`: true, `{"resultType":"task","content":[]}`: false} {
		server := unattached(func(w http.ResponseWriter, _ *http.Request, s *sent) { result(w, s, kind) })
		conn, _, err := connectHTTP(t, server, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, stateless := range []bool{false, true} {
			if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`), Stateless: stateless}); (err == nil) != taken || !taken && !errors.Is(err, wire.ErrProtocol) {
				t.Errorf("%s, for a client without a session %t: %v", kind, stateless, err)
			}
		}
	}
}

// What a result asks for is answered in the request that is sent again, which has an id
// of its own and the state exactly as it came; a server that goes on asking is given up.
func TestInputIsAnsweredInTheNextRequest(t *testing.T) {
	const state = `"a\u0062 / <state>"`
	rounds := 0
	server := unattached(func(w http.ResponseWriter, _ *http.Request, s *sent) {
		if rounds--; rounds < 0 {
			result(w, s, `{"resultType":"complete","content":[]}`)
			return
		}
		result(w, s, `{"resultType":"input_required","inputRequests":{"k":{"method":"elicitation/create","params":{"message":"?"}}},"requestState":`+state+`}`)
	})
	conn, _, err := connectHTTP(t, server, "")
	if err != nil {
		t.Fatal(err)
	}
	call := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`), Ask: func(_ context.Context, method string, _ json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage(`{"asked":"` + method + `"}`), nil
	}}
	rounds = 1
	if answer, err := conn.Call(t.Context(), call); jsonrpc.Member(answer, "content") == nil {
		t.Errorf("%s, %v", answer, err)
	}
	first, second := server.await(t, "tools/call", 1), server.await(t, "tools/call", 2)
	if first.param("requestState") != nil || first.param("inputResponses") != nil || string(first.message.ID) == string(second.message.ID) {
		t.Errorf("the first request has %s and the id of the second", first.message.Params)
	}
	if string(second.param("requestState")) != state || string(second.param("inputResponses")) != `{"k":{"asked":"elicitation/create"}}` {
		t.Errorf("the second request has %s", second.message.Params)
	}
	rounds = 1000
	if _, err := conn.Call(t.Context(), call); !errors.Is(err, wire.ErrProtocol) || !strings.Contains(err.Error(), "10 times") {
		t.Errorf("%v", err)
	}
}

// A subscription is opened for what the server has to tell; it is opened again when other
// resources are listened for, when the server ends it, and when it breaks. What was
// agreed on is not passed on as if it were news, and no answer is sent to what the server
// may not ask.
func TestSubscriptionsOfAStatelessServer(t *testing.T) {
	server := unattached(func(w http.ResponseWriter, r *http.Request, s *sent) {
		say := stream(w)
		say("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{\"notifications\":{}}}\n\n")
		say("data: {\"jsonrpc\":\"2.0\",\"id\":\"question\",\"method\":\"ping\"}\n\n")
		say("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n")
		switch resources := s.param("notifications", "resourceSubscriptions"); {
		case string(resources) == `["a://one"]` && r.Header.Get("Mcp-Method") != "":
			say("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"a://one\"}}\n\n")
			say("data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"resultType\":\"complete\"}}\n\n", s.message.ID) // it goes down
		default:
			<-r.Context().Done()
		}
	})
	conn, _, err := connectHTTP(t, server, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	told, ended := make(chan string, 64), make(chan error, 1)
	go func() {
		ended <- conn.Listen(ctx, listening(func(method string, _ json.RawMessage) { told <- method }))
	}()
	if method := <-told; method != "notifications/tools/list_changed" {
		t.Errorf("first came %s", method)
	}
	if first := server.await(t, "subscriptions/listen", 1); string(first.param("notifications")) != `{"toolsListChanged":true}` {
		t.Errorf("it is asked to tell %s", first.param("notifications"))
	}
	if _, err := conn.Call(t.Context(), relay.Call{Method: "resources/subscribe", Params: json.RawMessage(`{"uri":"a://one"}`)}); err != nil {
		t.Fatal(err)
	}
	second, third := server.await(t, "subscriptions/listen", 2), server.await(t, "subscriptions/listen", 3)
	for _, s := range []sent{second, third} {
		if string(s.param("notifications", "resourceSubscriptions")) != `["a://one"]` {
			t.Errorf("it is asked to tell %s", s.param("notifications"))
		}
	}
	for updated := false; !updated; {
		method := <-told
		if updated = method == "notifications/resources/updated"; method == "notifications/subscriptions/acknowledged" {
			t.Error("that it was agreed on was passed on")
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the listening ended with %v", err)
	}
	if slices.ContainsFunc(server.names(), func(name string) bool { return strings.HasPrefix(name, "response") }) {
		t.Errorf("it was sent %q", server.names())
	}
}
