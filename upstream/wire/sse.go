package wire

import (
	"log/slog"
	"net/http"

	"github.com/mark3labs/mcp-go/client/transport"
)

// SSE returns a connection to the event stream at url (HTTP with server-sent
// events, MCP 2024-11-05). Requests go through client, which must return errors
// for refusals.
func SSE(url string, client *http.Client, logger *slog.Logger) (Conn, error) {
	t, err := transport.NewSSE(url, transport.WithHTTPClient(client), transport.WithSSELogger(logger))
	if err != nil {
		return nil, err
	}
	s := newSession(t)
	t.SetConnectionLostHandler(s.broke)
	return s, nil
}
