package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// statelessHTTP is the stateless protocol over streamable HTTP.
type statelessHTTP struct {
	stateless
	endpoint *endpoint

	next    atomic.Int64
	headers parameterHeaders
}

func newStatelessHTTP(e *endpoint) *statelessHTTP {
	c := &statelessHTTP{stateless: newStateless(), endpoint: e}
	c.stateless.send = c.sendHTTP
	return c
}

// statelessPosting is what every request has in its header; nobody may change it.
var statelessPosting = http.Header{"Accept": {"application/json, text/event-stream"}, "Content-Type": {"application/json"}}

// Call implements [Conn]. Over HTTP the parameters of some tools are repeated in
// headers.
func (c *statelessHTTP) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	switch call.Method {
	case "tools/call":
		return withInput(ctx, call, c.callTool)
	case "tools/list":
		return c.listTools(ctx, call)
	}
	return c.stateless.Call(ctx, call)
}

// callTool reads the tools again where the server says that a parameter's header
// is not the one it wants.
func (c *statelessHTTP) callTool(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	result, err := c.sendHTTP(ctx, call)
	var object *jsonrpc.Error
	if errors.As(err, &object) && object.Code == mcp.HEADER_MISMATCH {
		if _, err := c.listTools(ctx, relay.Call{Method: "tools/list"}); err == nil {
			return c.sendHTTP(ctx, call)
		}
	}
	return result, err
}

// sendHTTP is stateless.send.
func (c *statelessHTTP) sendHTTP(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	if !call.Stateless {
		call.Stream = nil // a result that asks for input has to be known before
	}
	x := newExchange(call, c.next.Add(1), c.endpoint.passOver,
		func(given, token json.RawMessage) json.RawMessage { return c.describing.meta(given, &call, token) })
	defer x.body.end()
	response, err := c.endpoint.send(c.post(ctx, x))
	if err == nil {
		var result json.RawMessage
		if result, err = x.answer(ctx, response); err == nil {
			return result, nil
		}
	}
	if object := errorObject(err); object != nil {
		return nil, object
	}
	return nil, err
}

// post is one request with the headers that repeat its routing (MCP 2026-07-28
// transports, standard headers).
func (c *statelessHTTP) post(ctx context.Context, x *exchange) *http.Request {
	request := c.endpoint.request(ctx, http.MethodPost, statelessPosting)
	request.Header[headerVersion] = []string{c.version}
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

	headerVersion = http.CanonicalHeaderKey("Mcp-Protocol-Version")
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

// Close implements [Conn]; there is no session to end.
func (c *statelessHTTP) Close(context.Context) {}
