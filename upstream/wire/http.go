package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// maxBody bounds an answer that is not a stream, in bytes.
const maxBody = 256 << 20

// StatusError is an answer with a status that says no. HTTP clients given to
// [HTTP] return it, or an error of their own, for every status from 400 on.
type StatusError struct {
	Status int
	// Body is the beginning of the answer's body.
	Body []byte
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
}

// httpConn is streamable HTTP with a handshake (MCP 2025-03-26 to 2025-11-25).
type httpConn struct {
	endpoint *endpoint

	posting, listening http.Header // changed by Handshake only
	batches            bool
	opening            chan opened
	end                context.CancelFunc
	next               atomic.Int64
	work               workers
	askers             askers
}

func newSessionHTTP(e *endpoint) *httpConn {
	return &httpConn{endpoint: e, posting: http.Header{"Accept": {"application/json, text/event-stream"},
		"Content-Type": {"application/json"}}}
}

func (c *httpConn) Handshake(ctx context.Context, client Client) (Server, error) {
	var session string
	server, err := initialize(ctx, client, func(ctx context.Context, call relay.Call) (json.RawMessage, error) {
		result, header, err := c.send(ctx, call)
		session = header.Get("Mcp-Session-Id")
		return result, err
	})
	if err != nil {
		return server, err
	}
	c.batches = hasBatches(server.ProtocolVersion)
	c.posting.Set("Mcp-Protocol-Version", server.ProtocolVersion)
	if session != "" {
		c.posting.Set("Mcp-Session-Id", session)
	}
	c.listening = c.posting.Clone()
	c.listening.Set("Accept", "text/event-stream")
	c.listening.Del("Content-Type")
	var refused *StatusError
	if err := c.Notify(ctx, initialized, nil); errors.As(err, &refused) {
		c.endpoint.logger.Warn("the server refuses the end of the handshake, and is used all the same", "notification", initialized, "error", err)
	} else if err != nil {
		return server, err
	}
	c.open(ctx)
	return server, nil
}

// Close ends the session with a DELETE, whose answer does not matter: a server need not
// let clients end sessions.
func (c *httpConn) Close(ctx context.Context) {
	if c.end != nil {
		c.end()
	}
	c.work.Wait()
	select {
	case o, ok := <-c.opening:
		if ok { // nobody has listened
			o.close()
		}
	default:
	}
	if c.listening.Get("Mcp-Session-Id") != "" {
		if response, err := c.endpoint.send(c.endpoint.request(AsOptional(ctx), http.MethodDelete, c.listening)); err == nil {
			_ = response.Body.Close()
		}
	}
}

// post sends one message.
func (c *httpConn) post(ctx context.Context, m *jsonrpc.Message) (*http.Response, error) {
	return c.endpoint.post(ctx, c.posting, m.Encode())
}

func (c *httpConn) Notify(ctx context.Context, method string, params json.RawMessage) error {
	response, err := c.post(ctx, &jsonrpc.Message{Method: method, Params: params})
	if err != nil {
		return err
	}
	return drain(response)
}

func drain(response *http.Response) error {
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10)
	return response.Body.Close()
}

func (c *httpConn) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	defer c.askers.add(&call)()
	if call.Stateless {
		call.Stream = nil // the result has to be made one of the other protocol
	}
	result, _, err := c.send(ctx, call)
	return result, err
}

// send makes one request; the header is the answer's.
func (c *httpConn) send(ctx context.Context, call relay.Call) (json.RawMessage, http.Header, error) {
	x := c.exchange(call)
	defer x.body.end()
	request := c.endpoint.request(ctx, http.MethodPost, c.posting)
	x.body.put(request)
	response, err := c.endpoint.send(request)
	if err == nil {
		var result json.RawMessage
		if result, err = x.answer(ctx, response); err == nil {
			return result, response.Header, nil
		}
	}
	if c.forgotten(ctx, &call, err) {
		return nil, nil, fmt.Errorf("%w: %v", ErrSessionLost, err) //nolint:errorlint // it is no answer to the call
	}
	if object := errorObject(err); object != nil {
		return nil, nil, object
	}
	if ctx.Err() != nil && call.Method != string(mcp.MethodInitialize) { // which may not be cancelled
		c.cancel(ctx, x.id)
	}
	return nil, nil, err
}

// errorObject is the error object that some servers put under a status that says no.
func errorObject(err error) *jsonrpc.Error {
	var status *StatusError
	if errors.As(err, &status) {
		return errorIn(status.Body)
	}
	return nil
}

func errorIn(body []byte) *jsonrpc.Error {
	if m, invalid := jsonrpc.Decode(body); invalid == nil {
		return m.Error
	}
	return nil
}

// cancel tells the server that nobody waits any more (MCP 2025-11-25
// cancellation). It does not hold the caller up.
func (c *httpConn) cancel(ctx context.Context, id json.RawMessage) {
	reason := context.Cause(ctx).Error()
	ctx = context.WithoutCancel(ctx)
	c.work.Go(func() {
		ctx, stop := context.WithTimeout(ctx, cancelLimit)
		defer stop()
		_ = c.Notify(ctx, "notifications/cancelled", cancelled(id, reason)) // best effort, as the protocol has it
	})
}

// cancelLimit bounds how long a cancellation may take to be said.
const cancelLimit = 5 * time.Second

func cancelled(id json.RawMessage, reason string) json.RawMessage {
	params, _ := json.Marshal(map[string]any{"requestId": id, "reason": reason}) // both always encode
	return params
}

func mediaType(response *http.Response) string {
	given := response.Header.Get("Content-Type")
	if given == "application/json" || given == "text/event-stream" {
		return given
	}
	media, _, _ := mime.ParseMediaType(given)
	return media
}
