package fidelity_test

import (
	"context"
	"strings"
	"testing"
)

// Progress is with the client while the server has not answered yet; what the client
// cancels then, the server hears of.
func TestProgressAndCancellation(t *testing.T) {
	connect := start(t)
	for number, downstream := range downstreams {
		for _, upstream := range upstreams {
			if upstream == "session" {
				continue // it answers with a document
			}
			t.Run(downstream+" to "+upstream, func(t *testing.T) {
				c := connect(t, downstream, upstream)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				next := c.request(ctx, "1", "tools/call", params(c, "hold", number, `"progressToken":1`))
				if first := next(); !strings.Contains(first, `"notifications/progress"`) {
					t.Fatalf("first came %.200s", first)
				}
				c.cancel("1", stop)
				// The server says when the call knows of it.
				if got := c.request(t.Context(), "2", "tools/call", params(c, "await", number, ""))(); !strings.Contains(got, `"result"`) {
					t.Errorf("the server did not hear of the cancellation: %.200s", got)
				}
			})
		}
	}
}
