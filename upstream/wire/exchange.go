package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"bytes"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// exchange is one request over streamable HTTP on its way to its answer.
type exchange struct {
	call relay.Call
	id   json.RawMessage
	body *outgoing
	// token is the caller's progress token; the server sees one that is unique on
	// this connection.
	token json.RawMessage
	asked sync.WaitGroup
	// passedOver is told what is on the answer's stream and no message of this call;
	// strange is why the last of that is none.
	passedOver func(text []byte, err error)
	strange    error
	// batches says that the server may put several messages into one text.
	batches bool

	// resume takes a broken stream up again; nil where the protocol has no way to.
	resume func(ctx context.Context, events *eventReader, failures int) (*http.Response, error)
	// respond sends the answer to a request of the server; nil where it may make none.
	respond func(ctx context.Context, m *jsonrpc.Message, ask ask)
}

// newExchange gives a call an id that is unique on its connection. meta makes the
// _meta that is sent of the one that is given; nil stands for the same.
func newExchange(call relay.Call, id int64, passOver func([]byte, error),
	meta func(given, token json.RawMessage) json.RawMessage) *exchange {
	members := call.Members
	if members == nil {
		found := jsonrpc.Look(call.Params)
		members = &found
	}
	x := &exchange{call: call, id: strconv.AppendInt(nil, id, 10), passedOver: passOver}
	x.call.Members = members
	given := members.Get("_meta")
	if given != nil {
		x.token = bytes.Clone(jsonrpc.Member(given, progressToken))
	}
	x.body = newOutgoing(x.id, &x.call, members, meta(given, x.id))
	return x
}

func (c *httpConn) exchange(call relay.Call) *exchange {
	x := newExchange(call, c.next.Add(1), c.endpoint.passOver, sessionMeta)
	x.resume, x.respond, x.batches = c.resume, c.respond, c.batches
	return x
}

// answer reads the response to its end, or to the result.
func (x *exchange) answer(ctx context.Context, response *http.Response) (json.RawMessage, error) {
	defer response.Body.Close()
	switch media := mediaType(response); {
	case media == "", media == "text/plain", strings.HasSuffix(media, "json"): // what it is called matters less than what it is
		return x.document(ctx, response)
	case media == "text/event-stream":
		// What the server asked during the call is answered before the call ends.
		ctx, stop := context.WithCancel(ctx)
		defer x.asked.Wait()
		defer stop()
		return x.stream(ctx, response)
	default:
		return nil, fmt.Errorf("%w: it has the content type %q", ErrUnreadable, media)
	}
}

func (x *exchange) result(m *jsonrpc.Message) (json.RawMessage, error) {
	switch {
	case !m.IsResponse() || !x.answers(m) && m.Error == nil:
		return nil, fmt.Errorf("%w: the answer is not one to this request", ErrProtocol)
	case m.Error != nil:
		return nil, m.Error
	}
	return m.Result, nil
}

// passOver is for what is no message of this call.
func (x *exchange) passOver(text []byte, err error) {
	x.strange = err
	x.passedOver(text, err)
}

// answers reports whether a response has the request's id, which some servers repeat as a
// string.
func (x *exchange) answers(m *jsonrpc.Message) bool { return bytes.Equal(bytes.Trim(m.ID, `"`), x.id) }

// resumptions bounds how often a broken stream is taken up again without
// anything new arriving on it.
const resumptions = 3

// stream follows the answer over server-sent events, over broken streams too
// where the server gives its events ids (MCP 2025-11-25 transports, resumability).
func (x *exchange) stream(ctx context.Context, response *http.Response) (json.RawMessage, error) {
	defer func() { response.Body.Close() }()
	events := newEventReader(response.Body)
	if x.call.Method == string(mcp.MethodSubscriptionsListen) {
		events = newStandingReader(response.Body)
	}
	failures := 0
	for {
		e, err := events.Begin()
		if err == nil && e.Rest != nil {
			if e.Type == "" {
				if passed, err := x.pass(e.Data, e.Rest, -1); passed {
					return nil, err
				}
			}
			e.Data, err = readRest(e.Data, e.Rest, maxEvent)
			e.Type = events.kind // which may have come behind the data
		}
		if err == nil {
			failures = 0
			result, done, err := x.event(ctx, e)
			if done {
				return result, err
			}
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if errors.Is(err, io.EOF) && x.strange != nil && events.LastID == "" {
			return nil, fmt.Errorf("%w: its stream ends without an answer, and has what is none: %w", ErrProtocol, x.strange)
		}
		if events.LastID == "" || failures >= resumptions || x.resume == nil || errors.Is(err, ErrTooLarge) {
			return nil, broken(unexpected(err))
		}
		failures++
		resumed, err := x.resume(ctx, events, failures)
		if err != nil {
			return nil, fmt.Errorf("%w and could not be taken up again: %w", ErrLost, err)
		}
		response.Body.Close()
		response = resumed
		events = &eventReader{lines: newEventReader(resumed.Body).lines, LastID: events.LastID, Retry: events.Retry}
	}
}

// broken says that an answer broke off on its way here, unless that was this side's doing.
func broken(err error) error {
	if errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

var errOtherAnswer = errors.New("it answers another request")

// resume takes a stream up after its last event, after the pause that the
// server asked for.
func (c *httpConn) resume(ctx context.Context, events *eventReader, failures int) (*http.Response, error) {
	pause := events.Retry
	if pause == 0 {
		pause = time.Duration(failures) * 250 * time.Millisecond
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.get(ctx, events)
}

// get opens a stream, the server's own or one that goes on after an event.
func (c *httpConn) get(ctx context.Context, events *eventReader) (*http.Response, error) {
	request := c.endpoint.request(ctx, http.MethodGet, c.listening)
	if events.LastID != "" {
		request.Header.Set("Last-Event-ID", events.LastID)
	}
	return c.endpoint.send(request)
}

// event handles one event of the call's stream; done means that it was the answer.
func (x *exchange) event(ctx context.Context, e event) (result json.RawMessage, done bool, err error) {
	if len(e.Data) == 0 || e.Type != "" {
		return nil, false, nil // primes the stream with an id, or is no message
	}
	m, err := jsonrpc.Decode(e.Data)
	if errors.Is(err, jsonrpc.ErrBatch) && x.batches {
		return x.batch(ctx, e.Data)
	}
	if err != nil {
		x.passOver(e.Data, err)
		return nil, false, nil
	}
	if m.IsResponse() && m.Error == nil && !x.answers(m) {
		x.passOver(e.Data, errOtherAnswer)
		return nil, false, nil
	}
	return x.message(ctx, m)
}

// message handles one message of the call; done means that it was the answer.
func (x *exchange) message(ctx context.Context, m *jsonrpc.Message) (result json.RawMessage, done bool, err error) {
	switch {
	case m.IsNotification():
		if x.call.Notify != nil {
			x.call.Notify(m.Method, x.restore(m.Method, m.Params))
		}
		return nil, false, nil
	case m.IsRequest():
		if x.respond != nil {
			x.asked.Go(func() { x.respond(ctx, m, x.call.Ask) })
		}
		return nil, false, nil
	}
	result, err = x.result(m)
	return result, true, err
}

// restore puts the caller's progress token back.
func (x *exchange) restore(method string, params json.RawMessage) json.RawMessage {
	if method != "notifications/progress" || x.token == nil {
		return params
	}
	restored, _ := jsonrpc.Splice(params, x.token, progressToken)
	return restored
}

// respond answers a request of the server.
func (c *httpConn) respond(ctx context.Context, m *jsonrpc.Message, ask ask) {
	response, err := c.post(ctx, answerTo(ctx, m, ask))
	if err == nil {
		_ = drain(response)
	}
}

// answerTo asks whoever is behind the call.
func answerTo(ctx context.Context, m *jsonrpc.Message, ask ask) *jsonrpc.Message {
	answer := &jsonrpc.Message{ID: bytes.Clone(m.ID)}
	switch {
	case m.Method == "ping":
		answer.Result = json.RawMessage("{}")
	case ask == nil:
		answer.Error = jsonrpc.Errorf(jsonrpc.CodeMethodNotFound, "no client that could answer %s is behind this proxy at the moment", m.Method)
	default:
		result, err := ask(ctx, m.Method, m.Params)
		var object *jsonrpc.Error
		switch {
		case errors.As(err, &object):
			answer.Error = object
		case err != nil:
			answer.Error = jsonrpc.Errorf(jsonrpc.CodeInternal, "%v", err)
		default:
			answer.Result = result
		}
	}
	return answer
}
