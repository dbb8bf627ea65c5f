package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// statelessHTTP is streamable HTTP without a handshake and without a session
// (MCP 2026-07-28): each request says for itself what it needs.
type statelessHTTP struct {
	endpoint *endpoint
	logger   *slog.Logger

	// set by Handshake
	describing selfDescription
	posting    http.Header
	offers     json.RawMessage

	next    atomic.Int64
	headers parameterHeaders

	mu         sync.Mutex
	subscribed map[string]bool
	// resubscribe is signalled when subscribed has changed.
	resubscribe chan struct{}
}

func newStatelessHTTP(e *endpoint, logger *slog.Logger) *statelessHTTP {
	return &statelessHTTP{endpoint: e, logger: logger, subscribed: map[string]bool{}, resubscribe: make(chan struct{}, 1)}
}

// Handshake asks who the server is and which revisions it speaks. Errors that
// match errOtherEra mean that it speaks older ones.
func (c *statelessHTTP) Handshake(ctx context.Context, client Client) (Server, error) {
	version := mcp.LATEST_PROTOCOL_VERSION
	c.speak(version, client)
	result, err := c.send(ctx, relay.Call{Method: string(mcp.MethodServerDiscover)})
	var object *jsonrpc.Error
	if errors.As(err, &object) && object.Code == mcp.UNSUPPORTED_PROTOCOL_VERSION {
		var other unsupported
		_ = json.Unmarshal(object.Data, &other) // without a list there is no other revision
		if version = stateless(other.Supported); version != "" {
			c.speak(version, client)
			result, err = c.send(ctx, relay.Call{Method: string(mcp.MethodServerDiscover)})
		}
	}
	if err != nil {
		return Server{}, err
	}
	var found discovered
	if err := json.Unmarshal(result, &found); err != nil {
		return Server{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if version = stateless(found.SupportedVersions); version == "" {
		return Server{}, fmt.Errorf("%w: it speaks %q only", ErrProtocol, found.SupportedVersions)
	}
	c.speak(version, client)
	server := found.server(version)
	c.offers = server.Capabilities
	return server, nil
}

// speak makes version that of all requests from now on.
func (c *statelessHTTP) speak(version string, client Client) {
	c.describing = describe(version, client)
	c.posting = http.Header{"Accept": {"application/json, text/event-stream"}, "Content-Type": {"application/json"}, "Mcp-Protocol-Version": {version}}
}

// Call implements [Conn]. What the stateless protocol has no request for is
// answered here.
func (c *statelessHTTP) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	switch call.Method {
	case "ping", "logging/setLevel":
		return json.RawMessage("{}"), nil
	case "resources/subscribe", "resources/unsubscribe":
		return c.subscribe(call)
	case "tools/call":
		return withInput(ctx, call, c.callTool)
	case "tools/list":
		return c.listTools(ctx, call)
	}
	return withInput(ctx, call, c.send)
}

// callTool reads the tools anew where the server says that a parameter's header
// is not the one it wants.
func (c *statelessHTTP) callTool(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	result, err := c.send(ctx, call)
	var object *jsonrpc.Error
	if errors.As(err, &object) && object.Code == mcp.HEADER_MISMATCH {
		if _, err := c.listTools(ctx, relay.Call{Method: "tools/list"}); err == nil {
			return c.send(ctx, call)
		}
	}
	return result, err
}

// send sends one request and returns its result, complete or not.
func (c *statelessHTTP) send(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	if !call.Stateless {
		call.Stream = nil // a result that asks for input has to be known before
	}
	x := newExchange(call, c.next.Add(1), func(given, token json.RawMessage) json.RawMessage { return c.describing.meta(given, &call, token) })
	defer x.body.end()
	response, err := c.endpoint.send(c.post(ctx, x))
	if err == nil {
		var result json.RawMessage
		if result, err = x.answer(ctx, response); err == nil {
			return result, nil
		}
	}
	var status *StatusError
	if errors.As(err, &status) {
		if m, invalid := jsonrpc.Decode(status.Body); invalid == nil && m.Error != nil {
			return nil, m.Error
		}
	}
	return nil, err
}

// post is one request with the headers that repeat its routing (MCP 2026-07-28
// transports, standard headers).
func (c *statelessHTTP) post(ctx context.Context, x *exchange) *http.Request {
	request := c.endpoint.request(ctx, http.MethodPost, c.posting)
	request.Header[headerMethod] = []string{x.call.Method}
	if name, ok := nameOf(x.call.Method, x.call.Members); ok {
		request.Header[headerName] = []string{name}
	}
	if x.call.Method == "tools/call" {
		for name, value := range c.headers.of(x.call.Members) {
			request.Header.Set(name, value)
		}
	}
	x.body.put(request)
	return request
}

// The protocol's headers, as net/http has them.
var (
	headerMethod = http.CanonicalHeaderKey(mcp.HeaderMethod)
	headerName   = http.CanonicalHeaderKey(mcp.HeaderName)
)

// nameOf is what the header Mcp-Name repeats, encoded.
func nameOf(method string, params *jsonrpc.Object) (string, bool) {
	member := "name"
	switch method {
	case "resources/read":
		member = "uri"
	case "tools/call", "prompts/get":
	default:
		return "", false
	}
	name, ok := params.String(member)
	if !ok {
		return "", false
	}
	return mcp.EncodeHeaderValue(name)
}

// Notify implements [Conn]. The stateless protocol has no notifications of
// clients over HTTP: a call is cancelled by closing its stream.
func (c *statelessHTTP) Notify(context.Context, string, json.RawMessage) error { return nil }

// Close implements [Conn]; there is no session to end.
func (c *statelessHTTP) Close(context.Context) {}
