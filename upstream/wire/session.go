package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// session is a connection on which all that the server says comes on one stream, so
// that what belongs to which call is told by ids and progress tokens.
type session struct {
	// send sends one message within ctx. Where nothing of it was sent the error is
	// errUnsent.
	send func(ctx context.Context, m *jsonrpc.Message) error
	// life is the context of what the server asks; end ends it.
	life context.Context
	end  context.CancelFunc
	// lost is closed, with the reason before it, when the connection breaks.
	lost     chan struct{}
	lostOnce sync.Once
	reason   error

	next   atomic.Int64
	work   workers
	askers askers
	// unanswering says that the server may ask nothing and is sent no responses (MCP
	// 2026-07-28 transports, stdio).
	unanswering atomic.Bool

	mu            sync.Mutex
	calls         map[string]*running // by id, which is the progress token that the server sees
	notifications func(string, json.RawMessage)
	// early are notifications from before Listen.
	early []notification
}

type notification struct {
	method string
	params json.RawMessage
}

// running is a call whose answer is awaited.
type running struct {
	call   relay.Call
	token  json.RawMessage
	answer chan *jsonrpc.Message // has room for one
}

// keptEarly bounds the notifications that are kept for Listen.
const keptEarly = 256

var (
	// errUnsent says that the caller's time was over before anything was sent.
	errUnsent = errors.New("the message was not sent")
	errClosed = errors.New("the connection was closed")
)

func newSession(send func(context.Context, *jsonrpc.Message) error) *session {
	life, end := context.WithCancel(context.Background())
	return &session{send: send, life: life, end: end, lost: make(chan struct{}), calls: map[string]*running{}}
}

func (s *session) Handshake(ctx context.Context, client Client) (Server, error) {
	server, err := initialize(ctx, client, s.Call)
	if err != nil {
		return Server{}, err
	}
	var refused *StatusError
	if err := s.Notify(ctx, initialized, nil); err != nil && !errors.As(err, &refused) {
		return Server{}, s.explain(err)
	}
	return server, nil
}

func (s *session) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	defer s.askers.add(&call)()
	return s.request(ctx, call, sessionMeta)
}

// request sends one request. meta makes the _meta that is sent of the one that is
// given and of the progress token that the server sees; nil stands for the same.
func (s *session) request(ctx context.Context, call relay.Call,
	meta func(given, token json.RawMessage) json.RawMessage) (json.RawMessage, error) {
	id := json.RawMessage(strconv.AppendInt(nil, s.next.Add(1), 10))
	params := call.Params
	given := jsonrpc.Member(params, "_meta")
	if sent := meta(given, id); sent != nil {
		params = jsonrpc.Put(params, sent, "_meta")
	}
	r := &running{call: call, token: bytes.Clone(jsonrpc.Member(given, progressToken)), answer: make(chan *jsonrpc.Message, 1)}
	defer s.begin(string(id), r)()
	err := s.send(ctx, &jsonrpc.Message{ID: id, Method: call.Method, Params: params})
	if err == nil {
		return s.await(ctx, id, r)
	}
	if ctx.Err() == nil {
		return nil, s.explain(err)
	}
	if !errors.Is(err, errUnsent) {
		s.cancel(ctx, id, call.Method)
	}
	return nil, context.Cause(ctx)
}

// await waits for the answer to a request that was sent.
func (s *session) await(ctx context.Context, id json.RawMessage, r *running) (json.RawMessage, error) {
	var m *jsonrpc.Message
	select {
	case m = <-r.answer:
	case <-ctx.Done():
		s.cancel(ctx, id, r.call.Method)
		return nil, context.Cause(ctx)
	case <-s.lost:
		select {
		case m = <-r.answer: // it came before
		default:
			return nil, s.explain(s.reason)
		}
	}
	if m.Error != nil {
		return nil, m.Error
	}
	return m.Result, nil
}

// begin registers a call for what the server says about it, until done.
func (s *session) begin(id string, r *running) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[id] = r
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, id)
	}
}

// cancel tells the server that nobody waits any more, unless that may not be said.
func (s *session) cancel(ctx context.Context, id json.RawMessage, method string) {
	if method == string(mcp.MethodInitialize) {
		return
	}
	reason := context.Cause(ctx).Error()
	ctx = context.WithoutCancel(ctx)
	s.work.Go(func() {
		ctx, stop := context.WithTimeout(ctx, cancelLimit)
		defer stop()
		_ = s.Notify(ctx, "notifications/cancelled", cancelled(id, reason)) // best effort, as the protocol has it
	})
}

func (s *session) Notify(ctx context.Context, method string, params json.RawMessage) error {
	return s.send(ctx, &jsonrpc.Message{Method: method, Params: params})
}

// received takes what the server says, one message after the other. The message's bytes
// are the session's.
func (s *session) received(m *jsonrpc.Message) {
	switch {
	case m.IsNotification():
		s.notified(m.Method, m.Params)
	case m.IsRequest():
		if !s.unanswering.Load() {
			s.work.Go(func() { _ = s.send(s.life, answerTo(s.life, m, s.askers.youngest())) }) // a connection that broke says so
		}
	default:
		if r := s.running(string(bytes.Trim(m.ID, `"`))); r != nil {
			select {
			case r.answer <- m:
			default: // it has answered already
			}
		}
	}
}

// notified routes a notification to its call, or to whoever listens.
func (s *session) notified(method string, params json.RawMessage) {
	if method == "notifications/progress" {
		if r := s.running(string(jsonrpc.Member(params, progressToken))); r != nil {
			if r.call.Notify != nil {
				restored, _ := jsonrpc.Splice(params, r.token, progressToken)
				r.call.Notify(method, restored)
			}
			return
		}
	}
	s.mu.Lock()
	listener := s.notifications
	if listener == nil && len(s.early) < keptEarly {
		s.early = append(s.early, notification{method, params})
	}
	s.mu.Unlock()
	if listener != nil {
		listener(method, params)
	}
}

func (s *session) running(id string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[id]
}

func (s *session) Listen(ctx context.Context, listener Listener) error {
	s.mu.Lock()
	for _, n := range s.early {
		listener.Notified(n.method, n.params)
	}
	s.early, s.notifications = nil, listener.Notified
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-s.lost:
		return s.reason
	}
}

// broke notes why the connection is over.
func (s *session) broke(err error) {
	s.lostOnce.Do(func() {
		s.reason = err
		close(s.lost)
	})
}

// explain says why the connection is over where that is known better.
func (s *session) explain(err error) error {
	select {
	case <-s.lost:
		return fmt.Errorf("%w: %w", ErrLost, s.reason)
	default:
		return err
	}
}

func (s *session) Close(context.Context) {
	s.broke(errClosed)
	s.end()
	s.work.Wait()
}
