package wire_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// olderServer speaks HTTP with server-sent events (MCP 2024-11-05): a GET opens the
// stream, whose first event says where to post. endpoint is that place.
func olderServer(refusal int, endpoint string) http.Handler {
	answers := make(chan string, 8)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mcp", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(refusal) })
	mux.HandleFunc("GET /mcp", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: endpoint\ndata: %s\n\n", endpoint)
		for {
			_ = http.NewResponseController(w).Flush()
			select {
			case answer := <-answers:
				fmt.Fprintf(w, "event: message\ndata: %s\n\n", answer)
			case <-r.Context().Done():
				return
			}
		}
	})
	mux.HandleFunc("POST /post", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		m, err := jsonrpc.Decode(body)
		switch {
		case err != nil || !m.IsRequest():
		case m.Method == "initialize":
			answers <- fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`, m.ID)
		default:
			answers <- fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}`, m.ID)
		}
	})
	return mux
}

// Where streamable HTTP is refused as an older server refuses it, the older HTTP is
// spoken, and spoken at once the next time.
func TestTheOlderHTTPIsFound(t *testing.T) {
	for _, test := range []struct {
		refusal int
		known   string
	}{{http.StatusBadRequest, ""}, {http.StatusNotFound, ""}, {http.StatusMethodNotAllowed, ""}, {http.StatusNotFound, "2025-11-25"},
		{http.StatusTeapot, "2024-11-05"}} {
		conn, server, err := connectHTTP(t, olderServer(test.refusal, "/post"), test.known)
		if err != nil || server.ProtocolVersion != "2024-11-05" {
			t.Errorf("%d, known as %s: %q, %v", test.refusal, test.known, server.ProtocolVersion, err)
			continue
		}
		if result, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); string(result) != `{"tools":[]}` {
			t.Errorf("%d: %s, %v", test.refusal, result, err)
		}
	}
}

// It is not tried where the server refuses for another reason, and nothing is posted
// to another host than the one that is configured.
func TestTheOlderHTTPIsNotForced(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was posted to") }))
	t.Cleanup(elsewhere.Close)
	for name, server := range map[string]http.Handler{
		"for another reason": olderServer(http.StatusForbidden, "/post"),
		"to another host":    olderServer(http.StatusNotFound, elsewhere.URL+"/post"),
		"with an error object": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				t.Error("the stream was opened")
			}
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":0,"error":{"code":-32600,"message":"no"}}`)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := connectHTTP(t, server, "")
			if err == nil || !strings.Contains(err.Error(), "the server") {
				t.Errorf("%v", err)
			}
		})
	}
}
