package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"mcpproxy/fsm"
)

// Event is one server-sent event: a transition, or a gap before it.
type Event struct {
	ID    string
	Gap   *Gap
	Entry *fsm.Entry
}

// Follow hands each event to see, those of one upstream if only is not empty: from
// the one after the id on, or, with an empty id, from now on. It returns the id to go
// on from, and why it ended: ctx's error, see's, or that the connection ended.
func (c *Client) Follow(ctx context.Context, only, after string, see func(Event) error) (place string, err error) {
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

// readEvent reads one event of a stream (HTML, section 9.2.6); nil for one without data.
func readEvent(lines *bufio.Reader) (id string, event *Event, err error) {
	var name, data string
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
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
	case EventTransition:
		event.Entry = &fsm.Entry{}
		return event, json.Unmarshal([]byte(data), event.Entry)
	case EventGap:
		event.Gap = &Gap{}
		return event, json.Unmarshal([]byte(data), event.Gap)
	}
	return nil, nil
}
