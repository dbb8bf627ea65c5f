package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/client/transport"
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
	endpoint  *endpoint
	transport *transport.StreamableHTTP

	posting, listening http.Header // set by Handshake, like all up to next
	batches            bool
	opening            chan opened
	end                context.CancelFunc
	next               atomic.Int64
	work               workers
	askers             askers
}

func newSessionHTTP(url string, client *http.Client, logger *slog.Logger) (*httpConn, error) {
	t, err := transport.NewStreamableHTTP(url, transport.WithHTTPBasicClient(client), transport.WithHTTPLogger(logger))
	if err != nil {
		return nil, err
	}
	e, err := newEndpoint(url, client)
	if err != nil {
		return nil, err
	}
	return &httpConn{endpoint: e, transport: t}, nil
}

func (c *httpConn) Handshake(ctx context.Context, client Client) (Server, error) {
	server, err := handshake(ctx, c.transport, client)
	c.batches = hasBatches(server.ProtocolVersion)
	c.listening = http.Header{"Accept": {"text/event-stream"}, "Mcp-Protocol-Version": {server.ProtocolVersion}}
	if session := c.transport.GetSessionId(); session != "" {
		c.listening.Set("Mcp-Session-Id", session)
	}
	c.posting = c.listening.Clone()
	c.posting.Set("Accept", "application/json, text/event-stream")
	c.posting.Set("Content-Type", "application/json")
	if err == nil {
		c.open(ctx)
	}
	return server, err
}

// Close ends the session with a DELETE, which mcp-go bounds.
func (c *httpConn) Close(context.Context) {
	_ = c.transport.Close()
	if c.end != nil {
		c.end()
	}
	c.work.Wait()
	select {
	case o := <-c.opening: // nobody has listened
		o.close()
	default:
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
	x := c.exchange(call)
	defer x.body.end()
	request := c.endpoint.request(ctx, http.MethodPost, c.posting)
	x.body.put(request)
	response, err := c.endpoint.send(request)
	if err == nil {
		var result json.RawMessage
		result, err = x.answer(ctx, response)
		if err == nil {
			return result, nil
		}
	}
	var status *StatusError
	if errors.As(err, &status) {
		// Some servers put the error object under a status that says no.
		if m, invalid := jsonrpc.Decode(status.Body); invalid == nil && m.Error != nil {
			return nil, m.Error
		}
	}
	if ctx.Err() != nil {
		c.cancel(ctx, x.id)
	}
	return nil, err
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
