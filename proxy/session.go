package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
	// send does not wait for the client; it reports whether the message was taken.
	send(m *jsonrpc.Message) bool
}

// session is one downstream client.
type session struct {
	id     string
	server *Server
	view   view
	logger *slog.Logger

	// ctx-free: each request brings its own context.
	next atomic.Int64 // ids of requests to the client
	// waits is what waits for the client to be read.
	waits client

	// asker answers what servers ask during calls; nil for [session.ask].
	asker func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

	// read is what the one request of a client without a session was read into.
	read *body

	// What every call reads or notes is free of locks.
	said     atomic.Pointer[declared]
	running  sync.Map     // *request by raw id
	requests atomic.Int64 // how many of them there are
	// lastUsed is when the last request came, lastConnected when a connection was last
	// seen; Unix time in nanoseconds.
	lastUsed, lastConnected atomic.Int64

	mu                 sync.Mutex
	asked              map[string]chan *jsonrpc.Message // requests to the client, by raw id; nil for one that can answer none
	own                stream                           // for messages that belong to no call; nil while the client has opened none
	streams            map[string]*outbox               // what the client may take up again, by name; "" is its own
	numbered           int                              // of the streams
	subscribed         map[string]bool                  // resources that the client listens to, by URI
	stops              []func()
	telling, tellAgain bool // what the upstreams are told

	// over is closed when the session ends.
	over chan struct{}
}

// request is one that is being carried out.
type request struct {
	cancel context.CancelCauseFunc
	// client ends when the client's connection for it does.
	client context.Context
}

// declared is what a client has said of itself. It is immutable.
type declared struct {
	capabilities json.RawMessage
	revision     string
	logLevel     string
	// stateless says that it speaks MCP 2026-07-28 or later.
	stateless bool
}

// newRequester is a client of the stateless protocol, for one request.
func (s *Server) newRequester(v view, said *declared) *session {
	c := &session{server: s, view: v, logger: s.options.Logger}
	c.said.Store(said)
	return c
}

func (s *Server) newSession(v view) *session {
	c := &session{
		server:     s,
		view:       v,
		logger:     s.options.Logger,
		asked:      map[string]chan *jsonrpc.Message{},
		subscribed: map[string]bool{},
		streams:    map[string]*outbox{},
		over:       make(chan struct{}),
	}
	c.said.Store(&declared{})
	c.lastUsed.Store(time.Now().UnixNano())
	c.stops = v.watch(s.options.Upstreams, c.announce)
	return c
}

// close ends what the session runs.
func (c *session) close() {
	c.mu.Lock()
	stops := c.stops
	c.stops = nil
	subscribed := slices.Sorted(maps.Keys(c.subscribed))
	c.subscribed = map[string]bool{}
	streams := c.streams
	c.streams = nil
	c.mu.Unlock()
	if stops == nil {
		return // it is closed already
	}
	close(c.over)
	for _, stream := range streams {
		stream.drop()
	}
	c.server.calls.Go(func() { c.unsubscribe(subscribed) })
	for _, stop := range stops {
		stop()
	}
	c.cancelAll(errSessionEnded)
}

// cancelAll ends the requests that are under way.
func (c *session) cancelAll(why error) {
	for _, r := range c.running.Range {
		r.(*request).cancel(why)
	}
}

// announce sends a notification that belongs to no call. It does not wait.
func (c *session) announce(method string, params json.RawMessage) {
	c.mu.Lock()
	own := c.own
	c.mu.Unlock()
	if own != nil && !own.send(&jsonrpc.Message{Method: method, Params: params}) {
		c.missed(method)
	}
}

// missed logs what a client did not get, as it does not read.
func (c *session) missed(method string) {
	if c.server.drops.now() {
		c.logger.Warn("notifications are dropped for a client that does not read", "method", method)
	}
}

// receive handles a notification or a response of the client.
func (c *session) receive(m *jsonrpc.Message) {
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
		if r, ok := c.running.Load(string(id)); ok {
			r.(*request).cancel(errCancelled)
		}
	case m.Method == "notifications/roots/list_changed":
		c.tellAll(m)
	}
}

// tellLimit bounds how long an upstream is told something that it need not answer.
const tellLimit = 5 * time.Second

// tellAll tells the upstreams what a client says to all of them. Nobody waits for one
// that does not listen; what is said meanwhile is told once more.
func (c *session) tellAll(m *jsonrpc.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tellAgain = c.telling; c.telling {
		return
	}
	c.telling = true
	method, params := m.Method, bytes.Clone(m.Params)
	c.server.calls.Go(func() {
		for again := true; again; {
			c.tell(method, params)
			c.mu.Lock()
			again, c.tellAgain = c.tellAgain, false
			c.telling = again
			c.mu.Unlock()
		}
	})
}

func (c *session) tell(method string, params json.RawMessage) {
	ctx, stop := context.WithTimeout(context.Background(), tellLimit)
	defer stop()
	var told sync.WaitGroup
	for _, u := range c.view.upstreams(c.server.options.Upstreams) {
		told.Go(func() { _ = u.Notify(ctx, method, params) }) // one that is not connected asks when it is
	}
	told.Wait()
}

// handle answers one request; messages of the call go to on before the answer. client
// ends when the connection does that the request came on, which does not end it. A
// cancelled request has no answer (nil).
func (c *session) handle(ctx, client context.Context, m *jsonrpc.Message, on stream) *jsonrpc.Message {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	id := string(m.ID)
	c.lastUsed.Store(time.Now().UnixNano())
	if most := c.server.limits.Load().CallsPerSession; c.requests.Add(1) > int64(most) {
		c.requests.Add(-1)
		return &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeUnavailable,
			"%d requests of this session are under way, and no more may be (limits.callsPerSession); cancel some, or wait for their answers", most)}
	}
	defer c.requests.Add(-1)
	if _, twice := c.running.LoadOrStore(id, &request{cancel, client}); twice {
		return &jsonrpc.Message{ID: m.ID, Error: jsonrpc.Errorf(jsonrpc.CodeInvalidRequest,
			"a request with the id %s is being carried out already", m.ID)}
	}
	defer c.running.Delete(id)
	select {
	case <-c.over: // it ended before it knew of this request
		return &jsonrpc.Message{ID: m.ID, Error: errorObject(errSessionEnded)}
	default:
	}
	result, err := c.dispatch(ctx, m, on)
	if errors.Is(context.Cause(ctx), errCancelled) {
		return nil
	}
	if err != nil {
		return &jsonrpc.Message{ID: m.ID, Error: errorObject(err)}
	}
	return &jsonrpc.Message{ID: m.ID, Result: result}
}

// call builds the relayed call of a client's request.
func (c *session) call(m *jsonrpc.Message, params json.RawMessage, on stream, safe bool) relay.Call {
	said := c.said.Load()
	call := relay.Call{
		Method:             m.Method,
		Params:             params,
		Safe:               safe,
		ClientCapabilities: said.capabilities,
		LogLevel:           said.logLevel,
		Stateless:          said.stateless,
		Ask:                c.asker,
		Notify: func(method string, params json.RawMessage) {
			if !on.send(&jsonrpc.Message{Method: method, Params: params}) {
				c.missed(method)
			}
		},
	}
	if !said.stateless {
		call.Ask = func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
			if !said.canAnswer(method) {
				return unanswerable(method)
			}
			return c.ask(ctx, on, method, params)
		}
	}
	if answer, ok := on.(*answerStream); ok {
		call.Stream = func(result relay.Stream) error { return answer.pass(m.ID, result) }
	}
	if members := m.Members(); len(params) > 0 && len(members.Raw) == len(params) && &members.Raw[0] == &params[0] {
		call.Members = members
	}
	return call
}

// fallSilent is the end of what the client says: nobody waits for its answers any more.
func (c *session) fallSilent() {
	c.mu.Lock()
	asked := c.asked
	c.asked = nil
	c.mu.Unlock()
	for id, waiting := range asked {
		waiting <- &jsonrpc.Message{ID: json.RawMessage(id), Error: errorObject(errInputEnded)}
	}
}

// ask sends a request to the client and waits for its answer.
func (c *session) ask(ctx context.Context, on stream, method string, params json.RawMessage) (json.RawMessage, error) {
	id := json.RawMessage(strconv.Quote("mcpproxy-" + strconv.FormatInt(c.next.Add(1), 10)))
	answered := make(chan *jsonrpc.Message, 1)
	c.mu.Lock()
	silent := c.asked == nil
	if !silent {
		c.asked[string(id)] = answered
	}
	c.mu.Unlock()
	if silent {
		return nil, errInputEnded
	}
	defer func() {
		c.mu.Lock()
		delete(c.asked, string(id))
		c.mu.Unlock()
	}()
	if !on.send(&jsonrpc.Message{ID: id, Method: method, Params: params}) {
		return nil, errNotRead
	}
	ctx, stop := context.WithTimeoutCause(ctx, inputLimit, errInputLate)
	defer stop()
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
