package wire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

// HTTP returns a connection to url over streamable HTTP, of whatever revision the
// server speaks. known is the one that it spoke last time, or empty; it is tried
// first. Requests go through client, which must return errors for refusals.
func HTTP(url string, client *http.Client, logger *slog.Logger, known string) (Conn, error) {
	e, err := newEndpoint(url, client, logger)
	if err != nil {
		return nil, err
	}
	session := newSessionHTTP(e)
	older, err := SSE(url, client, logger)
	if err != nil {
		return nil, err
	}
	stateless := newStatelessHTTP(e)
	n := &negotiated{ways: []Conn{stateless, session, older}, older: older}
	switch {
	case known == mcp.ProtocolVersion20241105:
		n.ways = []Conn{older, stateless, session}
	case known != "" && !mcp.IsModernProtocol(known):
		n.ways = []Conn{session, stateless, older}
	}
	return n, nil
}

// otherEra reports whether a failed handshake means that the server speaks a
// revision with the other kind of handshake, and not that it cannot be reached.
func otherEra(err error) bool {
	var object *jsonrpc.Error
	var status *StatusError
	switch {
	case errors.Is(err, errNoCommonRevision):
		return false
	case errors.As(err, &object), errors.Is(err, ErrProtocol):
		return true
	case errors.As(err, &status):
		return status.Status != http.StatusForbidden
	}
	return false
}

// noStreamable reports whether a server refused a POST as one does that speaks the
// older HTTP with server-sent events (MCP 2025-11-25 transports, backwards
// compatibility). One that puts an error object under the status does not.
func noStreamable(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return false
	}
	if m, invalid := jsonrpc.Decode(status.Body); invalid == nil && m.Error != nil {
		return false
	}
	return status.Status == http.StatusBadRequest || status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed
}

// negotiated is HTTP of whatever revision the server speaks.
type negotiated struct {
	Conn // nil until the handshake
	// ways are all kinds, the likelier first.
	ways []Conn
	// older is the one of them that is no streamable HTTP.
	older Conn
}

// probeLimit bounds the first handshake: some older servers never answer what
// they do not know.
const probeLimit = 5 * time.Second

func (n *negotiated) Handshake(ctx context.Context, client Client) (Server, error) {
	var failures refusals
	for i, way := range n.ways {
		if i > 0 && way == n.older && !noStreamable(failures[i-1]) {
			break
		}
		probe, stop := ctx, context.CancelFunc(func() {})
		if i == 0 || way == n.older {
			probe, stop = context.WithTimeout(ctx, probeLimit)
		}
		server, err := way.Handshake(probe, client)
		unanswered := probe.Err() != nil && ctx.Err() == nil
		stop()
		if err == nil {
			n.Conn = way
			return server, nil
		}
		way.Close(ctx)
		last := i > 0 && way == n.older // what it says is not more than the others said
		if !unanswered && !otherEra(err) && !last {
			return Server{}, err
		}
		failures = append(failures, err)
	}
	return Server{}, failures
}

// refusals are what came of the ways that were tried, in their order.
type refusals []error

func (r refusals) Error() string {
	var texts []string
	for _, err := range r {
		if text := err.Error(); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; asked in another way: ")
}

func (r refusals) Unwrap() []error { return r }

func (n *negotiated) Close(ctx context.Context) {
	if n.Conn != nil {
		n.Conn.Close(ctx)
	}
}
