package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// stateless is the protocol without a handshake and without a session (MCP
// 2026-07-28) on any transport: each request says for itself what it needs.
type stateless struct {
	// send sends one request and returns its result, complete or not.
	send func(ctx context.Context, call relay.Call) (json.RawMessage, error)

	// set by Handshake
	describing selfDescription
	version    string
	offers     json.RawMessage

	mu         sync.Mutex
	subscribed map[string]bool
	// resubscribe is signalled when subscribed has changed.
	resubscribe chan struct{}
}

func newStateless() stateless {
	return stateless{subscribed: map[string]bool{}, resubscribe: make(chan struct{}, 1)}
}

// Handshake asks who the server is and which revisions it speaks. Errors that
// match otherEra mean that it speaks older ones.
func (c *stateless) Handshake(ctx context.Context, client Client) (Server, error) {
	version := mcp.LATEST_PROTOCOL_VERSION
	c.speak(version, client)
	result, err := c.send(ctx, relay.Call{Method: string(mcp.MethodServerDiscover)})
	var object *jsonrpc.Error
	if errors.As(err, &object) && object.Code == mcp.UNSUPPORTED_PROTOCOL_VERSION {
		var other unsupported
		_ = json.Unmarshal(object.Data, &other) // without a list there is no other revision
		if other.newerOnly() {
			return Server{}, fmt.Errorf("%w: it speaks %q only", errNoCommonRevision, other.Supported)
		}
		if version = newestStateless(other.Supported); version != "" {
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
	if version = newestStateless(found.SupportedVersions); version == "" {
		return Server{}, fmt.Errorf("%w: it speaks %q only", ErrProtocol, found.SupportedVersions)
	}
	c.speak(version, client)
	server := found.server(version)
	c.offers = server.Capabilities
	return server, nil
}

// speak makes version that of all requests from now on.
func (c *stateless) speak(version string, client Client) {
	c.version, c.describing = version, describe(version, client)
}

// Call implements [Conn]. What the stateless protocol has no request for is
// answered here.
func (c *stateless) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	switch call.Method {
	case "ping", "logging/setLevel":
		return json.RawMessage("{}"), nil
	case "resources/subscribe", "resources/unsubscribe":
		return c.subscribe(call)
	}
	return withInput(ctx, call, c.send)
}

// Notify implements [Conn]. The stateless protocol has no notifications that go
// to servers but those that cancel a call.
func (c *stateless) Notify(context.Context, string, json.RawMessage) error { return nil }
