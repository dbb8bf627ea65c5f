package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// failedListens is how many times in a row the server's own stream may fail to open,
// and a request beside it too, before the connection counts as lost.
const failedListens = 3

// The pauses after which a server's own stream is asked for again: they double from the
// first to the longest where it ends at once, and from missingPause where it is not
// there. A server that says it has none is asked again after rare.
const (
	firstListenPause   = time.Second
	missingPause       = 5 * time.Second
	longestListenPause = 15 * time.Minute
	rare               = time.Hour
)

// lasting is for how long a stream has to be open to be one that works.
const lasting = 10 * time.Second

// openLimit bounds how long a handshake waits for the server's own stream: some
// servers send no header before they have something to say.
const openLimit = 300 * time.Millisecond

// errStreamEnds says that the server's own stream ended as soon as it was open.
var errStreamEnds = errors.New("it ends as soon as it is open")

// ownStream is what a server says by itself, on a stream that it need not have.
type ownStream struct {
	// hold opens the stream, calls opened when it is there, and follows it to its end.
	// It returns the pause that the server wants, and an error where it was not opened.
	hold func(ctx context.Context, opened func()) (time.Duration, error)
	// probe makes a request that a server answers which is there, well or not.
	probe func(ctx context.Context) error
	told  func(error, time.Time)

	missing bool // as told
}

// keep holds the stream open until ctx ends. Where it is not there, requests decide: if
// they get through the connection is a good one without a stream, and keep returns an
// error only if they do not.
func (s *ownStream) keep(ctx context.Context) error {
	pause := firstListenPause
	for failures := 0; ; {
		lasted := false
		asked, err := s.once(ctx, &lasted)
		if err != nil && !isAnswer(err) {
			err = s.judge(ctx, err)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && lasted:
			pause, failures = firstListenPause, 0
		case err == nil:
			failures = 0
			if pause > firstListenPause {
				s.tell(errStreamEnds, pause)
			}
		case isAnswer(err):
			failures, pause = 0, max(pause, missingPause)
			if hasNone(err) {
				pause = rare
			}
			s.tell(err, pause)
		default:
			if failures++; failures >= failedListens {
				return err
			}
			if !sleep(ctx, time.Duration(failures)*250*time.Millisecond) {
				return nil
			}
			continue
		}
		if !sleep(ctx, max(pause, asked)) {
			return nil
		}
		if !lasted {
			pause = min(2*pause, max(pause, longestListenPause))
		}
	}
}

// once holds the stream once. Where it was missing it is told to be there when it has
// lasted, or has been awaited for as long: a server may answer when it has something to say.
func (s *ownStream) once(ctx context.Context, lasted *bool) (time.Duration, error) {
	held, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		if sleep(held, lasting) && s.missing {
			s.missing = false
			s.told(nil, time.Time{})
		}
	})
	asked, err := s.hold(ctx, sync.OnceFunc(func() {
		watching.Go(func() { *lasted = sleep(held, lasting) })
	}))
	stop()
	watching.Wait()
	return asked, err
}

func (s *ownStream) tell(err error, pause time.Duration) {
	s.missing = true
	s.told(err, time.Now().Add(pause))
}

// judge has a request say what it means that the stream could not be opened: nothing
// but that, if the request gets through.
func (s *ownStream) judge(ctx context.Context, failure error) error {
	var network *net.OpError
	if errors.As(failure, &network) && network.Op == "dial" {
		return failure // nor would a request get there
	}
	ctx, stop := context.WithTimeout(ctx, probeLimit)
	defer stop()
	err := s.probe(ctx)
	var object *jsonrpc.Error
	if err == nil || errors.As(err, &object) || isAnswer(err) || ctx.Err() != nil {
		return &missingError{failure}
	}
	return err
}

// missingError says why there is no stream of a server that is there.
type missingError struct{ error }

func (e *missingError) Unwrap() error { return e.error }

// isAnswer reports whether an error is what a server made of a request, so that it is
// there.
func isAnswer(err error) bool {
	var missing *missingError
	var status *StatusError
	var object *jsonrpc.Error
	return errors.As(err, &missing) || errors.As(err, &status) || errors.As(err, &object) || errors.Is(err, ErrProtocol) ||
		errors.Is(err, ErrTooLarge)
}

// hasNone reports whether a server says in the protocol's own words that it has no stream.
func hasNone(err error) bool {
	var status *StatusError
	var object *jsonrpc.Error
	return errors.As(err, &status) && status.Status == http.StatusMethodNotAllowed ||
		errors.As(err, &object) && (object.Code == jsonrpc.CodeMethodNotFound || object.Code == jsonrpc.CodeInvalidParams)
}

// NoStream reports whether what a [Listener] was told means that the server has no
// stream of its own by design, which is no failure.
func NoStream(err error) bool { return hasNone(err) }

// sleep reports whether the pause went by before ctx ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

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
		response, err := c.get(AsOptional(life), &eventReader{})
		c.opening <- opened{response, err}
		close(c.opening)
	})
	limit := time.NewTimer(openLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	case <-ctx.Done():
	}
}

// first takes the stream that the handshake has opened, once.
func (c *httpConn) first(ctx context.Context) (*http.Response, error) {
	select {
	case o, ok := <-c.opening:
		if !ok {
			return c.get(AsOptional(ctx), &eventReader{})
		}
		if o.err == nil {
			context.AfterFunc(ctx, o.close)
		}
		return o.response, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Listen keeps the server's own stream open (a GET, MCP 2025-11-25 transports), after its
// last event where it breaks.
func (c *httpConn) Listen(ctx context.Context, listener Listener) error {
	events := &eventReader{}
	next := c.first
	stream := ownStream{told: listener.Stream, hold: func(ctx context.Context, opened func()) (time.Duration, error) {
		response, err := next(ctx)
		next = func(ctx context.Context) (*http.Response, error) { return c.get(AsOptional(ctx), events) }
		if err != nil {
			return 0, err
		}
		if media := mediaType(response); media != "text/event-stream" {
			_ = response.Body.Close()
			return 0, fmt.Errorf("%w: it answers a GET with %s and the content type %q", ErrProtocol, response.Status, media)
		}
		opened()
		events = c.follow(ctx, response, events, listener.Notified)
		return events.Retry, nil
	}, probe: func(ctx context.Context) error {
		_, err := c.Call(ctx, relay.Call{Method: "ping"})
		return err
	}}
	return stream.keep(ctx)
}

// follow reads one stream to its end.
func (c *httpConn) follow(ctx context.Context, response *http.Response, before *eventReader,
	notified func(string, json.RawMessage)) *eventReader {
	defer response.Body.Close()
	events := newStandingReader(response.Body)
	events.LastID, events.Retry = before.LastID, before.Retry
	for {
		e, err := events.Next()
		if err != nil {
			return events
		}
		if len(e.Data) == 0 || e.Type != "" {
			continue
		}
		m, err := jsonrpc.Decode(e.Data)
		messages := []*jsonrpc.Message{m}
		if errors.Is(err, jsonrpc.ErrBatch) && c.batches {
			messages, err = messagesOf(e.Data)
		}
		if err != nil {
			c.endpoint.passOver(e.Data, err)
			continue
		}
		for _, m := range messages {
			switch {
			case m.IsNotification():
				notified(m.Method, m.Params)
			case m.IsRequest():
				c.work.Go(func() { c.respond(ctx, m, c.askers.youngest()) })
			}
		}
	}
}
