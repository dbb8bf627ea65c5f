package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// session is a connection over one of mcp-go's transports on which all messages
// share one stream, so that what belongs to which call is told by progress tokens.
type session struct {
	transport transport.Interface
	// end ends what the transport started.
	end context.CancelFunc
	// lost is closed, with the reason before it, when the transport breaks.
	lost     chan struct{}
	lostOnce sync.Once
	reason   error

	next   atomic.Int64
	work   workers
	askers askers

	mu            sync.Mutex
	calls         map[string]*running // by the progress token that the server sees
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
	call  relay.Call
	token json.RawMessage
}

// keptEarly bounds the notifications that are kept for Listen.
const keptEarly = 256

func newSession(t transport.Interface) *session {
	return &session{transport: t, lost: make(chan struct{}), calls: map[string]*running{}}
}

func (s *session) Handshake(ctx context.Context, client Client) (Server, error) {
	if err := s.open(ctx); err != nil {
		return Server{}, plainly(err)
	}
	server, err := handshake(ctx, s.transport, client)
	if err != nil {
		return Server{}, s.explain(err)
	}
	return server, nil
}

// open starts the transport.
func (s *session) open(ctx context.Context) error {
	// The transport lives as long as the connection, its opening as long as ctx.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	stop := context.AfterFunc(ctx, end)
	defer stop()
	s.transport.SetNotificationHandler(s.notified)
	if both, ok := s.transport.(transport.BidirectionalInterface); ok {
		both.SetRequestHandler(s.asked)
	}
	return s.transport.Start(life)
}

func (s *session) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	defer s.askers.add(&call)()
	return s.request(ctx, call, sessionMeta)
}

// request sends one request. meta makes the _meta that is sent of the one that is
// given and of the progress token that the server sees; nil stands for the same.
func (s *session) request(ctx context.Context, call relay.Call, meta func(given, token json.RawMessage) json.RawMessage) (json.RawMessage, error) {
	id := s.next.Add(1)
	request := transport.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(id), Method: call.Method}
	seen := json.RawMessage(strconv.AppendInt(nil, id, 10))
	params := call.Params
	given := jsonrpc.Member(params, "_meta")
	token := jsonrpc.Member(given, progressToken)
	if sent := meta(given, seen); sent != nil {
		params = jsonrpc.Put(params, sent, "_meta")
	}
	if params != nil {
		request.Params = pack(params)
	}
	defer s.begin(string(seen), &running{call: call, token: token})()
	response, err := s.transport.SendRequest(ctx, request)
	switch {
	case err != nil && ctx.Err() != nil:
		s.cancel(ctx, seen)
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, s.explain(err)
	case response.Error != nil:
		return nil, errorOf(response.Error)
	}
	return response.Result, nil
}

// begin registers a call for what the server says about it, until done.
func (s *session) begin(token string, r *running) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[token] = r
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.calls, token)
	}
}

func (s *session) cancel(ctx context.Context, id json.RawMessage) {
	reason := context.Cause(ctx).Error()
	ctx = context.WithoutCancel(ctx)
	s.work.Go(func() {
		ctx, stop := context.WithTimeout(ctx, cancelLimit)
		defer stop()
		_ = s.Notify(ctx, "notifications/cancelled", cancelled(id, reason)) // best effort, as the protocol has it
	})
}

func (s *session) Notify(ctx context.Context, method string, params json.RawMessage) error {
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{Method: method}}
	if params != nil {
		text := string(params)
		n.Params.AdditionalFields = map[string]any{"raw": &text}
	}
	return s.transport.SendNotification(ctx, n)
}

// notified routes a notification to its call, or to whoever listens.
func (s *session) notified(n mcp.JSONRPCNotification) {
	var params json.RawMessage
	if text, ok := n.Params.AdditionalFields["raw"].(string); ok {
		params = json.RawMessage(text)
	}
	if n.Method == "notifications/progress" {
		if r := s.running(tokenOf(params)); r != nil {
			if r.call.Notify != nil {
				restored, _ := jsonrpc.Splice(params, r.token, "progressToken")
				r.call.Notify(n.Method, restored)
			}
			return
		}
	}
	s.mu.Lock()
	listener := s.notifications
	if listener == nil && len(s.early) < keptEarly {
		s.early = append(s.early, notification{n.Method, params})
	}
	s.mu.Unlock()
	if listener != nil {
		listener(n.Method, params)
	}
}

func (s *session) running(token string) *running {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[token]
}

func tokenOf(params json.RawMessage) string {
	var p struct {
		Token json.RawMessage `json:"progressToken"`
	}
	_ = json.Unmarshal(params, &p) // it was encoded just now
	return string(p.Token)
}

// asked answers a request of the server.
func (s *session) asked(ctx context.Context, request transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	var params json.RawMessage
	if carried, ok := request.Params.(map[string]any); ok {
		text, _ := carried["raw"].(string)
		params = json.RawMessage(text)
	}
	answer := answerTo(ctx, &jsonrpc.Message{Method: request.Method, Params: params}, s.askers.youngest())
	response := &transport.JSONRPCResponse{JSONRPC: mcp.JSONRPC_VERSION, ID: request.ID}
	if answer.Error != nil {
		object, err := answer.Error.MarshalJSON()
		if err != nil {
			return nil, err
		}
		response.Error = &mcp.JSONRPCErrorDetails{Code: answer.Error.Code, Message: answer.Error.Message, Data: pack(object)}
		return response, nil
	}
	response.Result = pack(answer.Result)
	return response, nil
}

func (s *session) Listen(ctx context.Context, notification func(string, json.RawMessage)) error {
	s.mu.Lock()
	for _, n := range s.early {
		notification(n.method, n.params)
	}
	s.early, s.notifications = nil, notification
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-s.lost:
		return s.reason
	}
}

// broke notes why the transport is over.
func (s *session) broke(err error) {
	s.lostOnce.Do(func() {
		s.reason = err
		close(s.lost)
	})
}

// explain says why the transport is over where that is known better.
func (s *session) explain(err error) error {
	select {
	case <-s.lost:
		return fmt.Errorf("%w: %w", ErrLost, s.reason)
	default:
	}
	if errors.Is(err, transport.ErrTransportClosed) {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return err
}

func (s *session) Close(context.Context) {
	_ = s.transport.Close()
	if s.end != nil {
		s.end()
	}
	s.work.Wait()
}
