package wire

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"net/http"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/client/transport"
)

// SSE returns a connection to the event stream at url (HTTP with server-sent
// events, MCP 2024-11-05). Requests go through client, which must return errors
// for refusals.
func SSE(url string, client *http.Client, logger *slog.Logger) (Conn, error) {
	next := client.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	under := &packing{next: next}
	carrying := *client
	carrying.Transport = under
	t, err := transport.NewSSE(url, transport.WithHTTPClient(&carrying), transport.WithSSELogger(logger),
		transport.WithResponseTimeout(math.MaxInt64)) // how long a call may take is its caller's to say
	if err != nil {
		return nil, err
	}
	s := newSession(t)
	t.SetConnectionLostHandler(s.broke)
	under.asked = func(ctx context.Context, m *jsonrpc.Message) {
		s.work.Go(func() {
			answer := answerTo(ctx, m, s.askers.youngest())
			if err := postTo(ctx, t.GetEndpoint().String(), next, answer); err != nil && ctx.Err() == nil {
				logger.Warn("an answer did not reach the server", "request", m.Method, "error", err)
			}
		})
	}
	return s, nil
}

// postTo sends one message without awaiting anything for it.
func postTo(ctx context.Context, url string, transport http.RoundTripper, m *jsonrpc.Message) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	return drain(response)
}
