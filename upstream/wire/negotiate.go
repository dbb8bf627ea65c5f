package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

// HTTP returns a connection to url over streamable HTTP, of whatever revision the
// server speaks. known is the one that it spoke last time, or empty; it is tried
// first. Requests go through client, which must return errors for refusals.
func HTTP(url string, client *http.Client, logger *slog.Logger, known string) (Conn, error) {
	session, err := newSessionHTTP(url, client, logger)
	if err != nil {
		return nil, err
	}
	ways := []Conn{newStatelessHTTP(session.endpoint, logger), session}
	if known != "" && !mcp.IsModernProtocol(known) {
		ways[0], ways[1] = ways[1], ways[0]
	}
	return &negotiated{ways: ways}, nil
}

// otherEra reports whether a failed handshake means that the server speaks a
// revision with the other kind of handshake, and not that it cannot be reached.
func otherEra(err error) bool {
	var object *jsonrpc.Error
	var status *StatusError
	switch {
	case errors.As(err, &object), errors.Is(err, ErrProtocol):
		return true
	case errors.As(err, &status):
		return status.Status != http.StatusForbidden
	}
	return false
}

// negotiated is streamable HTTP of whatever revision the server speaks.
type negotiated struct {
	Conn // nil until the handshake
	// ways are both kinds, the likelier first.
	ways []Conn
}

// probeLimit bounds the first handshake: some older servers never answer what
// they do not know.
const probeLimit = 5 * time.Second

func (n *negotiated) Handshake(ctx context.Context, client Client) (Server, error) {
	var failures []error
	for i, way := range n.ways {
		probe, stop := ctx, context.CancelFunc(func() {})
		if i < len(n.ways)-1 {
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
		if !unanswered && !otherEra(err) {
			return Server{}, err
		}
		failures = append(failures, err)
	}
	return Server{}, fmt.Errorf("%w (and without a handshake: %w)", failures[len(failures)-1], failures[0])
}

func (n *negotiated) Close(ctx context.Context) {
	if n.Conn != nil {
		n.Conn.Close(ctx)
	}
}
