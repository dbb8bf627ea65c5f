package wire

import (
	"context"
	"encoding/json"
	"sync"

	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/client/transport"
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
func (c *statelessLines) Listen(ctx context.Context, notification func(string, json.RawMessage)) error {
	ctx, stop := context.WithCancel(ctx)
	var subscribing sync.WaitGroup
	defer subscribing.Wait()
	defer stop()
	subscribing.Go(func() { _ = c.stateless.Listen(ctx, func(string, json.RawMessage) {}) }) // a server without subscriptions serves all the same
	return c.session.Listen(ctx, func(method string, params json.RawMessage) {
		if method != mcp.MethodNotificationSubscriptionsAcknowledged {
			notification(method, params)
		}
	})
}

func (c *statelessLines) Close(ctx context.Context) { c.session.Close(ctx) }

// unanswered stands where servers may ask nothing and are sent no responses (MCP
// 2026-07-28 transports, stdio).
func unanswered(context.Context, transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	return nil, nil
}
