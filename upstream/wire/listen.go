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

// Listen keeps the server's own stream open (a GET, MCP 2025-11-25 transports),
// taking it up again when it breaks. A server that has none answers 405, and
// then nothing is listened for.
func (c *httpConn) Listen(ctx context.Context, notification func(string, json.RawMessage)) error {
	events := &eventReader{}
	for failures := 0; ; {
		response, err := c.resume(ctx, events, failures)
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
	events := newEventReader(response.Body)
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
		switch {
		case err != nil:
			return events, fmt.Errorf("%w: %w", ErrProtocol, err)
		case m.IsNotification():
			notification(m.Method, m.Params)
		case m.IsRequest():
			c.work.Go(func() { c.respond(ctx, m, c.askers.youngest()) })
		}
	}
}
