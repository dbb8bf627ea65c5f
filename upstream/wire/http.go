package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"sync"
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
	text := fmt.Sprintf("the server answers %d %s", e.Status, http.StatusText(e.Status))
	if e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotFound {
		text += "; if it speaks the older HTTP with server-sent events, say \"type\": \"sse\" in the configuration"
	}
	return text
}

// httpConn is streamable HTTP with a handshake (MCP 2025-03-26 to 2025-11-25).
type httpConn struct {
	url       string
	client    *http.Client
	transport *transport.StreamableHTTP

	session, version string // set by Handshake, like all up to next
	opening          chan opened
	end              context.CancelFunc
	next             atomic.Int64
	work             sync.WaitGroup
	askers           askers
}

func newSessionHTTP(url string, client *http.Client, logger *slog.Logger) (*httpConn, error) {
	t, err := transport.NewStreamableHTTP(url, transport.WithHTTPBasicClient(client), transport.WithHTTPLogger(logger))
	if err != nil {
		return nil, err
	}
	return &httpConn{url: url, client: client, transport: t}, nil
}

func (c *httpConn) Handshake(ctx context.Context, client Client) (Server, error) {
	server, err := handshake(ctx, c.transport, client)
	c.session, c.version = c.transport.GetSessionId(), server.ProtocolVersion
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

func (c *httpConn) request(ctx context.Context, method string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "text/event-stream")
	if method == http.MethodPost {
		request.Header.Set("Accept", "application/json, text/event-stream")
		request.Header.Set("Content-Type", "application/json")
	}
	if c.session != "" {
		request.Header.Set("Mcp-Session-Id", c.session)
	}
	request.Header.Set("Mcp-Protocol-Version", c.version)
	return request, nil
}

// post sends one message.
func (c *httpConn) post(ctx context.Context, m *jsonrpc.Message) (*http.Response, error) {
	request, err := c.request(ctx, http.MethodPost, m.Encode())
	if err != nil {
		return nil, err
	}
	return c.client.Do(request)
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
	call.Params = withoutMeta(call.Params)
	x := c.exchange(call)
	response, err := c.post(ctx, &jsonrpc.Message{ID: x.id, Method: call.Method, Params: x.params})
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

// readAll reads an answer that is one JSON document.
func readAll(response *http.Response) ([]byte, error) {
	var buffer bytes.Buffer
	if size, err := strconv.Atoi(response.Header.Get("Content-Length")); err == nil && size < 64<<20 {
		buffer.Grow(size + bytes.MinRead)
	}
	n, err := io.Copy(&buffer, io.LimitReader(response.Body, maxBody+1))
	if n > maxBody {
		return nil, fmt.Errorf("%w: the answer is longer than 256 MiB", ErrProtocol)
	}
	return buffer.Bytes(), err
}

func mediaType(response *http.Response) string {
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return media
}
