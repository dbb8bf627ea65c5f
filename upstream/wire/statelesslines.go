package wire

import (
	"context"
	"encoding/json"
	"sync"

	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// statelessLines is the stateless protocol on the standard streams of a child
// process, which outlives each request.
type statelessLines struct {
	stateless
	session *session
}

func newStatelessLines(s *session) *statelessLines {
	c := &statelessLines{stateless: newStateless(), session: s}
	c.stateless.send = func(ctx context.Context, call relay.Call) (json.RawMessage, error) {
		return s.request(ctx, call, func(given, token json.RawMessage) json.RawMessage { return c.describing.meta(given, &call, token) })
	}
	return c
}

// Listen implements [Conn]. All notifications come on the one stream; those of a
// subscription are known by their names.
func (c *statelessLines) Listen(ctx context.Context, listener Listener) error {
	ctx, stop := context.WithCancel(ctx)
	var subscribing sync.WaitGroup
	defer subscribing.Wait()
	defer stop()
	subscribing.Go(func() {
		// When the connection is lost the session says so.
		_ = c.stateless.Listen(ctx, Listener{Notified: func(string, json.RawMessage) {}, Stream: listener.Stream})
	})
	return c.session.Listen(ctx, Listener{Notified: func(method string, params json.RawMessage) {
		if method != mcp.MethodNotificationSubscriptionsAcknowledged {
			listener.Notified(method, params)
		}
	}})
}

func (c *statelessLines) Close(ctx context.Context) { c.session.Close(ctx) }
