package wire_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// sessioned is a server with sessions, of which revision. It knows no stateless
// protocol. calls answers the calls of tools, listens a GET.
func sessioned(revision string, calls, listens func(http.ResponseWriter, *http.Request, *sent)) *recording {
	return &recording{answer: func(w http.ResponseWriter, r *http.Request, s *sent) {
		switch {
		case s.method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case s.method == http.MethodGet && listens != nil:
			listens(w, r, s)
		case s.method == http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case s.message.Method == "server/discover":
			refusal(w, s, http.StatusBadRequest, -32000)
		case s.message.Method == "initialize":
			w.Header().Set("Mcp-Session-Id", "session-1")
			result(w, s, `{"protocolVersion":"`+revision+`","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`)
		case !s.message.IsRequest():
			w.WriteHeader(http.StatusAccepted)
		default:
			calls(w, r, s)
		}
	}}
}

// A session begins with initialize, which offers the newest revision, and initialized;
// from then on each request names the revision that was agreed on and the session, and
// takes both kinds of answer. It ends with a DELETE.
func TestASessionOverHTTP(t *testing.T) {
	server := sessioned("2025-06-18", func(w http.ResponseWriter, _ *http.Request, s *sent) { result(w, s, `{"tools":[]}`) }, nil)
	conn, found, err := connectHTTP(t, server, "")
	if err != nil || found.ProtocolVersion != "2025-06-18" {
		t.Fatalf("%q, %v", found.ProtocolVersion, err)
	}
	for range 2 {
		if answer, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); string(answer) != `{"tools":[]}` {
			t.Errorf("%s, %v", answer, err)
		}
	}
	conn.Close(t.Context())
	all := server.all()
	names := slices.DeleteFunc(server.names(), func(name string) bool { return name == "server/discover" || name == http.MethodGet })
	if want := []string{"initialize", "notifications/initialized", "tools/list", "tools/list", http.MethodDelete}; !slices.Equal(names, want) {
		t.Errorf("it was sent %q, want %q", names, want)
	}
	ids := map[string]bool{}
	for _, s := range all {
		name := s.name()
		switch name {
		case "server/discover":
			continue
		case "initialize":
			if version := string(s.param("protocolVersion")); version != `"2025-11-25"` || s.header.Get("Mcp-Session-Id") != "" {
				t.Errorf("it offers %s in the session %q", version, s.header.Get("Mcp-Session-Id"))
			}
		default:
			if session, version := s.header.Get("Mcp-Session-Id"), s.header.Get("Mcp-Protocol-Version"); session != "session-1" ||
				version != "2025-06-18" {
				t.Errorf("%s is of the session %q and the revision %q", name, session, version)
			}
		}
		if s.method == http.MethodPost && (!strings.Contains(s.header.Get("Accept"), "application/json") ||
			!strings.Contains(s.header.Get("Accept"), "text/event-stream")) {
			t.Errorf("%s takes %q", name, s.header.Get("Accept"))
		}
		if s.message != nil && s.message.IsRequest() {
			if ids[string(s.message.ID)] || string(s.message.ID) == "null" {
				t.Errorf("%s has the id %s of another", name, s.message.ID)
			}
			ids[string(s.message.ID)] = true
		}
	}
}

// A server that answers with a revision that is not known is not used.
func TestAnUnknownRevisionEndsTheSession(t *testing.T) {
	server := sessioned("1999-01-01", nil, nil)
	if _, _, err := connectHTTP(t, server, ""); !errors.Is(err, wire.ErrProtocol) || !strings.Contains(err.Error(), "1999-01-01") {
		t.Errorf("%v", err)
	}
	if names := server.names(); slices.Contains(names, "notifications/initialized") {
		t.Errorf("it was sent %q", names)
	}
}

// quiet is for how long a server that has no stream of its own is not asked again.
const quiet = time.Second

// A server without a stream of its own is not asked for one again; one that has a
// stream may ping on it, and on a call's, and comments in both mean nothing. What else
// it asks when no call is under way is refused.
func TestPingsAndCommentsOfAServer(t *testing.T) {
	for name, listens := range map[string]func(http.ResponseWriter, *http.Request, *sent){
		"without a stream of its own": nil,
		"with one": func(w http.ResponseWriter, r *http.Request, _ *sent) {
			say := stream(w)
			say(": data: nothing\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"own\",\"method\":\"ping\"}\n\n")
			say("data: {\"jsonrpc\":\"2.0\",\"id\":\"nobody\",\"method\":\"sampling/createMessage\",\"params\":{}}\n\n")
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var server *recording
			server = sessioned("2025-11-25", func(w http.ResponseWriter, _ *http.Request, s *sent) {
				say := stream(w)
				say(": data: {}\n:\n\nid: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":\"during\",\"method\":\"ping\"}\n\n")
				server.await(t, `response "during"`, 1)
				say(": nearly there\n\ndata: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", s.message.ID)
			}, listens)
			conn, _, err := connectHTTP(t, server, "2025-11-25")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- conn.Listen(ctx, listening(func(string, json.RawMessage) {})) }()
			if answer, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`)}); string(answer) != `{"content":[]}` {
				t.Errorf("%s, %v", answer, err)
			}
			answered := []sent{server.await(t, `response "during"`, 1)}
			if listens != nil {
				answered = append(answered, server.await(t, `response "own"`, 1))
				if s := server.await(t, `response "nobody"`, 1); s.message.Error == nil || s.message.Error.Code != -32601 {
					t.Errorf("a question that nobody can answer: %s", s.message.Result)
				}
			}
			for _, s := range answered {
				if string(s.message.Result) != "{}" || s.message.Error != nil {
					t.Errorf("%s: %s, %v", s.name(), s.message.Result, s.message.Error)
				}
			}
			select {
			case err := <-ended:
				t.Fatalf("the listening ended with %v", err)
			case <-time.After(quiet):
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the listening ended with %v", err)
			}
			if n := count(server.names(), http.MethodGet); n != 1 {
				t.Errorf("it was asked %d times for its stream", n)
			}
		})
	}
}

// A call that nobody waits for any more is cancelled as its revision has it: in a session
// by a notification that names the request, without one by the end of its stream alone.
func TestCancellingAtAServer(t *testing.T) {
	for revision, notifies := range map[string]bool{"2025-11-25": true, "2026-07-28": false} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{})
			waits := func(w http.ResponseWriter, r *http.Request, _ *sent) {
				stream(w)(": begun\n\n")
				<-r.Context().Done()
				close(closed)
			}
			server := sessioned(revision, waits, nil)
			if !notifies {
				server = unattached(waits)
			}
			conn, _, err := connectHTTP(t, server, revision)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := conn.Call(ctx, relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`)})
				ended <- err
			}()
			call := server.await(t, "tools/call", 1)
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			<-closed
			if notifies {
				if said := server.await(t, "notifications/cancelled", 1); string(said.param("requestId")) != string(call.message.ID) {
					t.Errorf("it cancels %s, and the call was %s", said.param("requestId"), call.message.ID)
				}
			}
			conn.Close(t.Context())
			if names := server.names(); slices.Contains(names, "notifications/cancelled") != notifies {
				t.Errorf("it was sent %q", names)
			}
		})
	}
}

func count(all []string, what string) (n int) {
	for _, one := range all {
		if one == what {
			n++
		}
	}
	return n
}

// Clients may choose the same token for progress. The server sees one of its own for
// each call, and each client its own again.
func TestProgressTokensAreTheConnections(t *testing.T) {
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			t.Parallel()
			var both sync.WaitGroup
			both.Add(2)
			progress := func(w http.ResponseWriter, _ *http.Request, s *sent) {
				both.Done()
				both.Wait() // they are under way at once
				say := stream(w)
				say("data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}\n\n",
					s.param("_meta", "progressToken"))
				say("data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\n\n", s.message.ID)
			}
			server := sessioned(revision, progress, nil)
			if revision == "2026-07-28" {
				server = unattached(progress)
			}
			conn, _, err := connectHTTP(t, server, revision)
			if err != nil {
				t.Fatal(err)
			}
			told, ended := make(chan string, 8), make(chan error, 2)
			for range 2 {
				go func() {
					_, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t","_meta":{"progressToken":"mine"}}`),
						Notify: func(_ string, params json.RawMessage) { told <- string(params) }})
					ended <- err
				}()
			}
			for range 2 {
				if err := <-ended; err != nil {
					t.Error(err)
				}
				if params := <-told; params != `{"progressToken":"mine","progress":1}` {
					t.Errorf("the client is told %s", params)
				}
			}
			one, other := server.await(t, "tools/call", 1), server.await(t, "tools/call", 2)
			if a, b := string(one.param("_meta", "progressToken")), string(other.param("_meta", "progressToken")); a == b {
				t.Errorf("both calls have the token %s", a)
			}
		})
	}
}

// A stream that breaks is taken up after its last event, and no sooner than the server
// asks for.
func TestABrokenStreamIsTakenUpAfterItsLastEvent(t *testing.T) {
	const pause = 300 * time.Millisecond
	var id json.RawMessage
	var broke time.Time
	server := sessioned("2025-11-25", func(w http.ResponseWriter, _ *http.Request, s *sent) {
		id, broke = s.message.ID, time.Now()
		stream(w)("id: event-7\nretry: %d\ndata: \n\n", pause.Milliseconds())
	}, func(w http.ResponseWriter, r *http.Request, s *sent) {
		if s.header.Get("Last-Event-ID") == "" {
			w.WriteHeader(http.StatusMethodNotAllowed) // it has no stream of its own
			return
		}
		if s.header.Get("Last-Event-ID") != "event-7" || time.Since(broke) < pause {
			t.Errorf("it is taken up after %q, and %s later", s.header.Get("Last-Event-ID"), time.Since(broke))
		}
		stream(w)("data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"content\":[]}}\n\n", id)
	})
	conn, _, err := connectHTTP(t, server, "2025-11-25")
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := conn.Call(t.Context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`)}); string(answer) != `{"content":[]}` {
		t.Errorf("%s, %v", answer, err)
	}
}
