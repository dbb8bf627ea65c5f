package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpproxy/jsonrpc"
)

// failedListens is how many times in a row the server's own stream may fail to
// open before the connection counts as lost.
const failedListens = 3

// openLimit bounds how long a handshake waits for the server's own stream: some
// servers send no header before they have something to say.
const openLimit = 300 * time.Millisecond

// opened is what became of opening the server's own stream.
type opened struct {
	response *http.Response
	err      error
}

func (o opened) close() {
	if o.err == nil {
		_ = o.response.Body.Close()
	}
}

// open begins to listen before the first call is made: a server may put what it
// asks during a call on its own stream, and loses it where there is none.
func (c *httpConn) open(ctx context.Context) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	c.end, c.opening = end, make(chan opened, 1)
	done := make(chan struct{})
	c.work.Go(func() {
		defer close(done)
		response, err := c.resume(life, &eventReader{}, 0)
		c.opening <- opened{response, err}
	})
	limit := time.NewTimer(openLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// first takes the stream that the handshake has opened. A server that does not
// know the session just begun has no such stream.
func (c *httpConn) first(ctx context.Context) (*http.Response, error) {
	select {
	case o := <-c.opening:
		if errors.Is(o.err, ErrSessionLost) {
			return nil, &StatusError{Status: http.StatusMethodNotAllowed}
		}
		if o.err == nil {
			context.AfterFunc(ctx, o.close)
		}
		return o.response, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Listen keeps the server's own stream open (a GET, MCP 2025-11-25 transports),
// taking it up again when it breaks. A server that has none answers 405, and
// then nothing is listened for.
func (c *httpConn) Listen(ctx context.Context, notification func(string, json.RawMessage)) error {
	events := &eventReader{}
	response, err := c.first(ctx)
	for failures := 0; ; response, err = c.resume(ctx, events, failures) {
		if err == nil {
			failures = 0
			events, err = c.follow(ctx, response, events, notification)
		}
		var status *StatusError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &status) && status.Status == http.StatusMethodNotAllowed:
			<-ctx.Done()
			return nil
		case err != nil:
			if failures++; failures >= failedListens || errors.Is(err, ErrProtocol) {
				return err
			}
		default:
			// The server ended the stream, as it may at any time.
			events.Retry = max(events.Retry, time.Second)
		}
	}
}

// follow reads one stream to its end.
func (c *httpConn) follow(ctx context.Context, response *http.Response, before *eventReader, notification func(string, json.RawMessage)) (*eventReader, error) {
	defer response.Body.Close()
	if media := mediaType(response); media != "text/event-stream" {
		return before, fmt.Errorf("%w: it answers a GET with the content type %q", ErrProtocol, media)
	}
	events := newStandingReader(response.Body)
	events.LastID, events.Retry = before.LastID, before.Retry
	for {
		e, err := events.Next()
		if err != nil {
			return events, nil
		}
		if len(e.Data) == 0 {
			continue
		}
		m, err := jsonrpc.Decode(e.Data)
		messages := []*jsonrpc.Message{m}
		if errors.Is(err, jsonrpc.ErrBatch) && c.batches {
			messages, err = messagesOf(e.Data)
		}
		if err != nil {
			return events, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		for _, m := range messages {
			switch {
			case m.IsNotification():
				notification(m.Method, m.Params)
			case m.IsRequest():
				c.work.Go(func() { c.respond(ctx, m, c.askers.youngest()) })
			}
		}
	}
}
