package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/fsm"
)

// Event is one server-sent event: a transition, or a gap before it.
type Event struct {
	ID    string
	Gap   *api.Gap
	Entry *fsm.Entry
}

// Follow hands each event to see, those of one upstream if only is not empty: from
// the one after the id on, or, with an empty id, from now on. It returns the id to go
// on from, and why it ended: ctx's error, see's, or that the connection ended.
func (c *Client) Follow(ctx context.Context, only, after string, see func(Event) error) (place string, err error) {
	return c.follow(ctx, only, after, func() error { return nil }, see)
}

func (c *Client) follow(ctx context.Context, only, after string, opened func() error, see func(Event) error) (place string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://proxy/v1/events?upstream="+url.QueryEscape(only), nil)
	if err != nil {
		return after, err
	}
	request.Header.Set("Accept", "text/event-stream")
	if after != "" {
		request.Header.Set("Last-Event-ID", after)
	}
	response, err := c.ask(request)
	if err != nil {
		return after, err
	}
	defer response.Body.Close()
	if err := opened(); err != nil {
		return after, err
	}
	place = after
	for lines := bufio.NewReader(response.Body); ; {
		id, event, err := readEvent(lines)
		if id != "" {
			place = id
		}
		if err == nil && event != nil {
			event.ID = place
			err = see(*event)
		}
		if ctx.Err() != nil {
			return place, ctx.Err()
		}
		if err != nil {
			return place, err
		}
	}
}

// Follower is told what happens, by one goroutine.
type Follower struct {
	// Only is the one upstream to follow, or empty for all.
	Only string
	// Opened is called each time that the stream is open: all that happens from then
	// on comes to See. Nil does nothing.
	Opened func() error
	// See is given each event. After the proxy was started again the first is a gap.
	See func(Event) error
	// Lost is called when the proxy went away. Nil does nothing.
	Lost func()
}

// again is how long Stay waits before it asks again whether a proxy is there.
const again = 200 * time.Millisecond

// Stay follows from now on and, when the proxy goes away, goes on where it was as soon
// as one answers again. It returns ctx's error, the follower's, a [*RefusedError], or
// [ErrNotRunning] where no proxy answers at first.
func (c *Client) Stay(ctx context.Context, f Follower) error {
	var place string
	var ended error // the follower's
	for was := false; ; {
		open := false
		next, err := c.follow(ctx, f.Only, place, func() error {
			open, was = true, true
			if f.Opened != nil {
				ended = f.Opened()
			}
			return ended
		}, func(e Event) error {
			ended = f.See(e)
			return ended
		})
		place = next
		var refused *RefusedError
		switch {
		case ended != nil:
			return ended
		case ctx.Err() != nil:
			return ctx.Err()
		case !was || errors.As(err, &refused):
			return err
		}
		if open && f.Lost != nil {
			f.Lost()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(again):
		}
	}
}

// readEvent reads one event of a stream (HTML, section 9.2.6); nil for one without data.
func readEvent(lines *bufio.Reader) (id string, event *Event, err error) {
	var name, data string
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("the proxy ended the stream: %w", io.ErrUnexpectedEOF)
		}
		if err != nil {
			return "", nil, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			event, err := decodeEvent(name, data)
			return id, event, err
		case field == "id":
			id = value
		case field == "event":
			name = value
		case field == "data":
			data = value
		}
	}
}

func decodeEvent(name, data string) (*Event, error) {
	event := &Event{}
	switch name {
	case api.EventTransition:
		event.Entry = &fsm.Entry{}
		return event, json.Unmarshal([]byte(data), event.Entry)
	case api.EventGap:
		event.Gap = &api.Gap{}
		return event, json.Unmarshal([]byte(data), event.Gap)
	}
	return nil, nil
}
