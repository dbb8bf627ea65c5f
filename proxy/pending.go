package proxy

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"mcpproxy/jsonrpc"
)

// inputLimit is how long a call waits for its client to send the input that its
// server asked for.
const inputLimit = 5 * time.Minute

// statePrefix marks the request states that are this server's; others are an
// upstream's and pass through.
const statePrefix = "mcpproxy:"

// pending is a call of the stateless protocol whose server may ask something on
// its way, as servers of earlier revisions do. The question becomes the result of
// the request, and the answer comes with the request that is sent again.
type pending struct {
	session *session
	method  string
	cancel  context.CancelCauseFunc

	done   chan struct{} // closed with result and err set
	result json.RawMessage
	err    error

	questions chan *question
	asked     []*question // those in the client's hands

	mu sync.Mutex
	on stream // where notifications go; nil between two requests
}

type question struct {
	method string
	params json.RawMessage
	answer chan json.RawMessage
}

// send implements stream: it goes to the request that is being served.
func (p *pending) send(m *jsonrpc.Message) bool {
	p.mu.Lock()
	on := p.on
	p.mu.Unlock()
	return on != nil && on.send(m)
}

func (p *pending) attach(on stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = on
}

// resumeOrBegin carries a request on that brought input, or begins a new one.
func (s *Server) resumeOrBegin(ctx context.Context, c *session, m *jsonrpc.Message, on stream) (json.RawMessage, error) {
	state, _ := jsonrpc.String(m.Params, "requestState")
	if !strings.HasPrefix(state, statePrefix) {
		return s.follow(ctx, s.begin(ctx, c, m, on))
	}
	call := s.unpark(state, func(p *pending) bool { return p.session.view == c.view && p.method == m.Method })
	if call == nil {
		return nil, jsonrpc.Errorf(jsonrpc.CodeInvalidParams,
			"the request state is not one of a call that waits here; make the call again without it")
	}
	call.attach(on) // first: what the answers set going may have something to say
	call.deliver(jsonrpc.Member(m.Params, "inputResponses"))
	return s.follow(ctx, call)
}

// begin carries a request out beside the one who serves it.
func (s *Server) begin(ctx context.Context, c *session, m *jsonrpc.Message, on stream) *pending {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := &pending{session: c, method: m.Method, cancel: cancel, done: make(chan struct{}), questions: make(chan *question), on: on}
	c.asker = p.ask
	c.read.use()
	s.calls.Go(func() {
		defer c.read.done()
		defer cancel(nil)
		p.result, p.err = c.dispatchStateless(ctx, m, p)
		close(p.done)
	})
	return p
}

// ask hands a question of the server to the client.
func (p *pending) ask(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error) {
	if !p.session.said.Load().canAnswer(method) {
		return unanswerable(method)
	}
	q := &question{method: method, params: params, answer: make(chan json.RawMessage, 1)}
	select {
	case p.questions <- q:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case answer := <-q.answer:
		return answer, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// canAnswer reports whether the client says that it can answer a question.
func (d *declared) canAnswer(method string) bool {
	capability, _, _ := strings.Cut(method, "/")
	return has(d.capabilities, capability)
}

// unanswerable is what a server is told whose question the client behind its call
// cannot answer. It was told once, for the whole connection, what there is among
// all clients, and may rightly ask: a form that nobody can be shown is one that was
// left without a choice (MCP 2025-11-25 elicitation, response actions).
func unanswerable(method string) (json.RawMessage, error) {
	if method == "elicitation/create" {
		return json.RawMessage(`{"action":"cancel"}`), nil
	}
	return nil, jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "the client behind this call does not say that it can answer %s", method)
}

// follow waits for the result, or for a question, which parks the call. The call is
// attached to the stream of the request that is being served.
func (s *Server) follow(ctx context.Context, p *pending) (json.RawMessage, error) {
	defer p.attach(nil)
	if len(p.asked) > 0 {
		return s.park(p) // an answer is still missing
	}
	select {
	case <-p.done:
		return p.result, p.err
	case q := <-p.questions:
		p.asked = append(p.asked, q)
		return s.park(p)
	case <-ctx.Done():
		p.cancel(errCancelled)
		<-p.done
		return nil, errCancelled
	}
}

// deliver gives the client's answers to who asked; what was not answered is asked again.
func (p *pending) deliver(responses json.RawMessage) {
	var open []*question
	for i, q := range p.asked {
		if answer := jsonrpc.Member(responses, keyOf(i)); answer != nil {
			q.answer <- answer
		} else {
			open = append(open, q)
		}
	}
	p.asked = open
}

func keyOf(i int) string { return "input-" + strconv.Itoa(i+1) }

// park keeps a call until its client sends the input, and returns what tells it to.
func (s *Server) park(p *pending) (json.RawMessage, error) {
	state := statePrefix + rand.Text()
	requests := map[string]any{}
	for i, q := range p.asked {
		request := map[string]any{"method": q.method}
		if q.params != nil {
			request["params"] = q.params
		}
		requests[keyOf(i)] = request
	}
	s.mu.Lock()
	s.parked[state] = parkedCall{p, time.AfterFunc(inputLimit, func() {
		if late := s.unpark(state, func(*pending) bool { return true }); late != nil {
			late.cancel(errInputLate)
		}
	})}
	s.mu.Unlock()
	return json.Marshal(map[string]any{"resultType": "input_required", "inputRequests": requests, "requestState": state})
}

type parkedCall struct {
	call  *pending
	limit *time.Timer
}

// unpark takes a call out that waits, if it is one that fits; another goes on waiting.
func (s *Server) unpark(state string, fits func(*pending) bool) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	parked, ok := s.parked[state]
	if !ok || !fits(parked.call) {
		return nil
	}
	delete(s.parked, state)
	parked.limit.Stop()
	return parked.call
}
