package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/feed"
)

const gapReason = "transitions are missing here: the reader was away for too long, or the proxy was started again; the journal has them"

// aliveEvery is how often a stream that has nothing to say shows that it is alive.
// writeLimit is how long a client may take to read what was sent before it is dropped.
const (
	aliveEvery = 15 * time.Second
	writeLimit = 10 * time.Second
)

// events streams the transitions of all upstreams, or of one, as server-sent events
// from now on, or from the one after Last-Event-ID.
func (a *handler) events(w http.ResponseWriter, r *http.Request) error {
	only := r.URL.Query().Get("upstream")
	if only != "" {
		if _, err := a.instance.Manager.Get(only); err != nil {
			return err
		}
	}
	reader := a.instance.Feed.Follow(r.Header.Get("Last-Event-ID"))
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	stream := &eventStream{w: w, control: http.NewResponseController(w), only: only}
	// A reader that is cut off before anything happens goes on from here.
	stream.add("retry: 1000\nid: %s\n\n", reader.Place())
	for stream.send() {
		if err := stream.next(r.Context(), reader); err != nil {
			return nil // the client went away
		}
	}
	return nil
}

// eventStream writes one client's events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	only    string
	buffer  []byte
}

// next collects what is to be sent next.
func (s *eventStream) next(ctx context.Context, reader *feed.Reader) error {
	waiting, cancel := context.WithTimeout(ctx, aliveEvery)
	defer cancel()
	items, gap, err := reader.Next(waiting)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		s.add(": alive\n\n")
		return nil
	}
	if gap {
		s.event(api.EventGap, "", api.Gap{Reason: gapReason})
	}
	for _, item := range items {
		if s.only == "" || item.Entry.Machine == s.only {
			s.event(api.EventTransition, item.ID, item.Entry)
		}
	}
	if s.only != "" {
		// What was left out is not to be asked for again.
		s.add("id: %s\n\n", reader.Place())
	}
	return nil
}

func (s *eventStream) add(format string, values ...any) {
	s.buffer = fmt.Appendf(s.buffer, format, values...)
}

func (s *eventStream) event(name, id string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		return // entries and gaps always encode
	}
	if id != "" {
		s.add("id: %s\n", id)
	}
	s.add("event: %s\ndata: %s\n\n", name, text)
}

// send reports whether the client took what was collected.
func (s *eventStream) send() bool {
	if len(s.buffer) == 0 {
		return true
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeLimit)) // a writer without deadlines is bounded by its connection
	_, err := s.w.Write(s.buffer)
	s.buffer = s.buffer[:0]
	return err == nil && s.control.Flush() == nil
}
