package fidelity_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// large is how long the server's result is, in bytes, and bound how
// much of it may be on its way to a client that does not read: what the sockets'
// buffers take, and no more.
const (
	large = 160 << 20
	bound = large / 4
)

// serveLarge answers calls with a large result and counts what it has got rid of.
func serveLarge(written *atomic.Int64, events bool) http.HandlerFunc {
	small := session(newOdd(), false)
	return func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(text), `"tools/call"`) {
			r.Body = io.NopCloser(strings.NewReader(string(text)))
			small(w, r)
			return
		}
		id, _ := find(string(text), "id") // every call has one
		head, tail := `{"jsonrpc":"2.0","id":`+id+`,"result":{"content":[{"type":"text","text":"`, `"}]}}`
		w.Header().Set("Content-Type", "application/json")
		if events {
			w.Header().Set("Content-Type", "text/event-stream")
			head, tail = "data: "+head, tail+"\n\n"
		}
		_, _ = io.WriteString(w, head)
		chunk := strings.Repeat("0123456789abcdef", 4<<10)
		for range large / len(chunk) {
			n, err := io.WriteString(w, chunk)
			if written.Add(int64(n)); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, tail)
	}
}

// A client that does not read holds up the server, and does not fill the proxy.
func TestASlowReaderHoldsTheServerUp(t *testing.T) {
	for name, events := range map[string]bool{"document": false, "events": true} {
		t.Run(name, func(t *testing.T) {
			var written atomic.Int64
			mux := http.NewServeMux()
			mux.Handle("/session", serveLarge(&written, events))
			c := serve(t, mux, []string{"session"}, nil)(t, "session", "session").(*overSession)
			response := c.post(t.Context(), message("1", "tools/call", params(c, "odd", 0, "")))
			defer response.Body.Close()
			if _, err := io.CopyN(io.Discard, response.Body, 1<<20); err != nil {
				t.Fatal(err)
			}
			for before := int64(-1); before != written.Load(); time.Sleep(200 * time.Millisecond) {
				before = written.Load()
			}
			if taken := written.Load(); taken > bound {
				t.Errorf("the proxy took %d MiB that nobody read", taken>>20)
			}
			if n, err := io.Copy(io.Discard, response.Body); err != nil || n < large-1<<20 {
				t.Errorf("%d MiB came, %v", n>>20, err)
			}
		})
	}
}
