package security

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// An MCP server that sends its answer a byte each second, for ever, holds nobody up for
// longer than they wait: an attempt to connect has its state's deadline, and a call its
// caller's.
func TestAnMCPServerThatDripsIsGivenUp(t *testing.T) {
	const limit = 30 * time.Second
	for _, slow := range []string{"", "tools/call"} {
		t.Run("slow "+slow, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWires()
				end := served(t, &http.Server{Handler: dripping(slow)}, w)
				network := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dial(), nil }}
				conn, err := wire.HTTP("http://127.0.0.1/mcp", &http.Client{Transport: network}, slog.New(slog.DiscardHandler), "")
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				_, err = conn.Handshake(ctx, wire.Client{Name: "test", Version: "1"})
				if err == nil {
					_, err = conn.Call(ctx, relay.Call{Method: "tools/call", Params: []byte(`{"name":"t","arguments":{}}`)})
				}
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != limit {
					t.Errorf("it ended after %s with %v", took, err)
				}
				conn.Close(t.Context())
				network.CloseIdleConnections()
				end()
				synctest.Wait() // the handler sees its request over
			})
		})
	}
}

// dripping is an MCP server that answers one method, or with none named each, slowly and
// without an end.
func dripping(slow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if method, _ := jsonrpc.String(body, "method"); slow != "" && method != slow {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`, jsonrpc.Member(body, "id"))
			return
		}
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Second):
			}
		}
	}
}
