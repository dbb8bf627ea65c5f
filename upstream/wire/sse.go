package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"mcpproxy/jsonrpc"
)

// SSE returns a connection to the event stream at an address (HTTP with server-sent
// events, MCP 2024-11-05). Requests go through client, which must return errors
// for refusals.
func SSE(at string, client *http.Client, logger *slog.Logger) (Conn, error) {
	e, err := newEndpoint(at, client, logger)
	if err != nil {
		return nil, err
	}
	c := &sseConn{stream: e}
	c.session = newSession(c.send)
	return c, nil
}

// sseConn is a stream that the server speaks on, and the address that it wants messages at.
type sseConn struct {
	*session
	stream *endpoint
	posts  *endpoint // set by Handshake
}

// Handshake opens the stream, on which the server says where messages go.
func (c *sseConn) Handshake(ctx context.Context, client Client) (Server, error) {
	// The stream lives as long as the connection, its opening as long as ctx.
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	response, err := c.stream.send(c.stream.request(c.life, http.MethodGet,
		http.Header{"Accept": {"text/event-stream"}, "Cache-Control": {"no-cache"}}))
	if err != nil {
		return Server{}, err
	}
	if media := mediaType(response); media != "text/event-stream" {
		_ = response.Body.Close()
		return Server{}, fmt.Errorf("%w: it answers a GET with %s and the content type %q", ErrProtocol, response.Status, media)
	}
	posts := make(chan *endpoint, 1)
	c.work.Go(func() {
		defer response.Body.Close()
		c.broke(fmt.Errorf("the server's stream ended: %w", unexpected(c.follow(newEventReader(response.Body), posts))))
	})
	select {
	case c.posts = <-posts:
	case <-c.lost:
		return Server{}, c.reason
	case <-ctx.Done():
		return Server{}, context.Cause(ctx)
	}
	return c.session.Handshake(ctx, client)
}

// follow reads the stream to its end. The first address that it brings is the one.
func (c *sseConn) follow(events *eventReader, posts chan<- *endpoint) error {
	for {
		e, err := events.Next()
		if err != nil {
			return err
		}
		switch e.Type {
		case "endpoint":
			if at, err := c.address(string(e.Data)); err != nil {
				c.stream.passOver(e.Data, err)
			} else if posts != nil {
				posts <- at
				posts = nil
			}
		case "":
			if m, err := jsonrpc.Decode(e.Data); err != nil {
				c.stream.passOver(e.Data, err)
			} else {
				c.received(m)
			}
		}
	}
}

var errElsewhere = errors.New("messages may go to the stream's own origin only")

// address is where messages go: the server may choose the path, no more.
func (c *sseConn) address(text string) (*endpoint, error) {
	at, err := c.stream.url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	if at.Scheme != c.stream.url.Scheme || at.Host != c.stream.url.Host {
		return nil, errElsewhere
	}
	return &endpoint{url: at, transport: c.stream.transport, logger: c.stream.logger}, nil
}

// send is session.send. The answer comes on the stream, whatever the request is told.
func (c *sseConn) send(ctx context.Context, m *jsonrpc.Message) error {
	response, err := c.posts.post(ctx, http.Header{"Content-Type": {"application/json"}}, m.Encode())
	if err != nil {
		return plainly(err)
	}
	return drain(response)
}
