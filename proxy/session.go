package proxy

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// revisions of the protocol that sessions speak, newest first.
func revisions() []string { return []string{"2025-11-25", "2025-06-18", "2025-03-26"} }

// stream takes messages to the client.
type stream interface {
	// send must not block for long; it reports whether the message was taken.
	send(m *jsonrpc.Message) bool
}

// session is one downstream client.
type session struct {
	server *Server
	view   view
	logger *slog.Logger

	// ctx-free: each request brings its own context.
	next atomic.Int64 // ids of requests to the client

	// asker answers what servers ask during calls; nil for [session.ask].
	asker func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

	mu           sync.Mutex
	capabilities json.RawMessage
	revision     string
	logLevel     string
	running      map[string]context.CancelCauseFunc // requests of the client, by raw id
	asked        map[string]chan *jsonrpc.Message   // requests to the client, by raw id
	own          []stream                           // for messages that belong to no call; the newest is used
	subscribed   map[string]bool                    // resources that the client listens to, by URI
	stops        []func()
	lastUsed     time.Time

	// over is closed when the session ends.
	over chan struct{}
}

// newRequester is a client of the stateless protocol, for one request.
func (s *Server) newRequester(v view) *session {
	return &session{server: s, view: v, logger: s.options.Logger}
}

func (s *Server) newSession(v view) *session {
	c := &session{server: s, view: v, logger: s.options.Logger, running: map[string]context.CancelCauseFunc{}, asked: map[string]chan *jsonrpc.Message{}, subscribed: map[string]bool{}, lastUsed: time.Now(), over: make(chan struct{})}
	c.stops = v.watch(s.options.Upstreams, c.announce)
	return c
}

// close ends what the session runs.
func (c *session) close() {
	c.mu.Lock()
	stops := c.stops
	c.stops = nil
	running := c.running
	c.running = map[string]context.CancelCauseFunc{}
	subscribed := slices.Sorted(maps.Keys(c.subscribed))
	c.subscribed = map[string]bool{}
	c.mu.Unlock()
	if stops == nil {
		return // it is closed already
	}
	close(c.over)
	c.server.calls.Go(func() { c.unsubscribe(subscribed) })
	for _, stop := range stops {
		stop()
	}
	for _, cancel := range running {
		cancel(errSessionEnded)
	}
}

// announce sends a notification that belongs to no call.
func (c *session) announce(method string, params json.RawMessage) {
	c.mu.Lock()
	var own stream
	if len(c.own) > 0 {
		own = c.own[len(c.own)-1]
	}
	c.mu.Unlock()
	if own != nil && !own.send(&jsonrpc.Message{Method: method, Params: params}) {
		c.logger.Warn("a notification was dropped, as the client does not read", "method", method)
	}
}

// attach makes s the stream for messages that belong to no call.
func (c *session) attach(s stream) (detach func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own = append(c.own, s)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.own = slices.DeleteFunc(c.own, func(other stream) bool { return other == s })
	}
}

// receive handles a notification or a response of the client.
func (c *session) receive(ctx context.Context, m *jsonrpc.Message) {
	switch {
	case m.IsResponse():
		c.mu.Lock()
		waiting := c.asked[string(m.ID)]
		delete(c.asked, string(m.ID))
		c.mu.Unlock()
		if waiting != nil {
			waiting <- m
		}
	case m.Method == "notifications/cancelled":
		id := jsonrpc.Member(m.Params, "requestId")
		c.mu.Lock()
		cancel := c.running[string(id)]
		c.mu.Unlock()
		if cancel != nil {
			cancel(errCancelled)
		}
	case m.Method == "notifications/roots/list_changed":
		for _, u := range c.view.upstreams(c.server.options.Upstreams) {
			_ = u.Notify(ctx, m.Method, m.Params) // one that is not connected asks when it is
		}
	}
}

// handle answers one request; messages of the call go to on before the answer.
// A cancelled request has no answer (nil).
func (c *session) handle(ctx context.Context, m *jsonrpc.Message, on stream) *jsonrpc.Message {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	_, twice := c.running[string(m.ID)]
	if !twice {
		c.running[string(m.ID)] = cancel
	}
	c.lastUsed = time.Now()
	c.mu.Unlock()
	if twice {
		return &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest, "a request with the id %s is being carried out already", m.ID)}
	}
	defer func() {
		c.mu.Lock()
		delete(c.running, string(m.ID))
		c.mu.Unlock()
	}()
	result, err := c.dispatch(ctx, m, on)
	if context.Cause(ctx) == errCancelled {
		return nil
	}
	if err != nil {
		return &jsonrpc.Message{ID: m.ID, Error: errorObject(err)}
	}
	return &jsonrpc.Message{ID: m.ID, Result: result}
}

// call builds the relayed call of a client's request.
func (c *session) call(m *jsonrpc.Message, params json.RawMessage, on stream, safe bool) relay.Call {
	c.mu.Lock()
	capabilities, level := c.capabilities, c.logLevel
	c.mu.Unlock()
	ask := c.asker
	if ask == nil {
		ask = func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			return c.ask(ctx, on, method, params)
		}
	}
	return relay.Call{Method: m.Method, Params: params, Safe: safe, ClientCapabilities: capabilities, LogLevel: level, Stateless: c.asker != nil, Ask: ask,
		Notify: func(method string, params json.RawMessage) {
			if !on.send(&jsonrpc.Message{Method: method, Params: params}) {
				c.logger.Warn("a notification of a call was dropped, as the client does not read", "method", method)
			}
		}}
}

// ask sends a request to the client and waits for its answer.
func (c *session) ask(ctx context.Context, on stream, method string, params json.RawMessage) (json.RawMessage, error) {
	id := json.RawMessage(strconv.Quote("mcpproxy-" + strconv.FormatInt(c.next.Add(1), 10)))
	answered := make(chan *jsonrpc.Message, 1)
	c.mu.Lock()
	c.asked[string(id)] = answered
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.asked, string(id))
		c.mu.Unlock()
	}()
	if !on.send(&jsonrpc.Message{ID: id, Method: method, Params: params}) {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInternal, "the client does not read")
	}
	select {
	case m := <-answered:
		if m.Error != nil {
			return nil, m.Error
		}
		return m.Result, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
