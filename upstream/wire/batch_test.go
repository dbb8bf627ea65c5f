package wire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// batching is a server that answers each call with a batch: a notification, the
// answer, and another notification.
func batching(revision string, stream bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := jsonrpc.Decode(body)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Method != http.MethodPost:
			w.WriteHeader(http.StatusMethodNotAllowed)
		case err != nil || m.IsNotification():
			w.WriteHeader(http.StatusAccepted)
		case m.Method == "server/discover":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"what?"}}`, m.ID)
		case m.Method == "initialize":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":%q,"capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`, m.ID, revision)
		default:
			batch := fmt.Sprintf(`[{"jsonrpc":"2.0","method":"notifications/message"},{"jsonrpc":"2.0","id":%s,"result":{"n":1.0}},{"jsonrpc":"2.0","method":"notifications/message"}]`, m.ID)
			if stream {
				w.Header().Set("Content-Type", "text/event-stream")
				batch = "data: " + batch + "\n\n"
			}
			_, _ = io.WriteString(w, batch)
		}
	}
}

// refusing is an HTTP client as upstreams have it: statuses that say no are errors.
func refusing() *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || response.StatusCode < 400 {
			return response, err
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return nil, &wire.StatusError{Status: response.StatusCode, Body: body}
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// connectHTTP agrees with a server on a revision.
func connectHTTP(t *testing.T, server http.Handler, known string) (wire.Conn, wire.Server, error) {
	t.Helper()
	listening := httptest.NewServer(server)
	t.Cleanup(func() {
		listening.CloseClientConnections()
		listening.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	conn, err := wire.HTTP(listening.URL+"/mcp", refusing(), slog.New(slog.DiscardHandler), known)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	found, err := conn.Handshake(t.Context(), wire.Client{Name: "t", Version: "1", Capabilities: json.RawMessage("{}")})
	return conn, found, err
}

// A server of 2025-03-26 may put several messages into one; in other revisions that
// is none.
func TestBatchesOfServers(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for revision, taken := range map[string]bool{"2025-03-26": true, "2025-06-18": false} {
			conn, _, err := connectHTTP(t, batching(revision, stream), "")
			if err != nil {
				t.Fatal(err)
			}
			notified := 0
			result, err := conn.Call(t.Context(), relay.Call{Method: "tools/list", Notify: func(string, json.RawMessage) { notified++ }})
			if taken && (err != nil || string(result) != `{"n":1.0}` || notified != 2) {
				t.Errorf("%s, as a stream %t: %s, %v, %d notifications", revision, stream, result, err, notified)
			}
			if !taken && (err == nil || !strings.Contains(err.Error(), "a batch")) {
				t.Errorf("%s, as a stream %t: %v", revision, stream, err)
			}
		}
	}
}
