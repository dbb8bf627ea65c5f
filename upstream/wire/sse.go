package wire

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"net/url"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/client/transport"
)

// SSE returns a connection to the event stream at an address (HTTP with server-sent
// events, MCP 2024-11-05). Requests go through client, which must return errors
// for refusals.
func SSE(at string, client *http.Client, logger *slog.Logger) (Conn, error) {
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	under := &packing{next: next}
	carrying := *client
	carrying.Transport = under
	t, err := transport.NewSSE(at, transport.WithHTTPClient(&carrying), transport.WithSSELogger(logger),
		transport.WithResponseTimeout(math.MaxInt64)) // how long a call may take is its caller's to say
	if err != nil {
		return nil, err
	}
	s := newSession(t)
	t.SetConnectionLostHandler(s.broke)
	under.asked = func(ctx context.Context, m *jsonrpc.Message) {
		s.work.Go(func() {
			if err := answerAt(ctx, t.GetEndpoint(), next, answerTo(ctx, m, s.askers.youngest())); err != nil && ctx.Err() == nil {
				logger.Warn("an answer did not reach the server", "request", m.Method, "error", err)
			}
		})
	}
	return s, nil
}

// answerAt sends the answer to a request of the server to where its stream says.
func answerAt(ctx context.Context, at *url.URL, transport http.RoundTripper, answer *jsonrpc.Message) error {
	e := endpoint{url: at, transport: transport}
	response, err := e.post(ctx, http.Header{"Content-Type": {"application/json"}}, answer.Encode())
	if err != nil {
		return err
	}
	return drain(response)
}
