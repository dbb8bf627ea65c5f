// Package relay is what the proxy's downstream face and the upstreams say to
// each other: calls, catalogs and notifications, as raw bytes wherever nobody in
// between has to read them. It holds declarations only.
package relay

import (
	"context"
	"encoding/json"
	"errors"
	"io"

	"mcpproxy/jsonrpc"
)

// Upstream is one upstream as its callers see it. All methods are safe for
// concurrent use.
type Upstream interface {
	Name() string
	// Call relays one request and waits for its answer within ctx. While the
	// upstream is on its way back it waits; when a user is needed it fails at
	// once with a *jsonrpc.Error that says what to do. An error object of
	// the server comes back as a *jsonrpc.Error too. Cancelling ctx
	// cancels the request at the server.
	Call(ctx context.Context, c Call) (json.RawMessage, error)
	// Notify sends a notification; without a connection it returns an error.
	Notify(ctx context.Context, method string, params json.RawMessage) error
	// Catalog is what the upstream offers, as last known. It is never nil, and
	// stays while the upstream reconnects.
	Catalog() *Catalog
	// Watch calls f for each notification that belongs to no call, and with
	// list_changed for each list that was read again, until stop is called.
	Watch(f func(method string, params json.RawMessage)) (stop func())
}

// Upstreams finds upstreams by name.
type Upstreams interface {
	Upstream(name string) (Upstream, bool)
	// Names are sorted.
	Names() []string
	// Watch calls f when the set of upstreams has changed, until stop is called.
	Watch(f func()) (stop func())
}

// Call is one request on its way.
type Call struct {
	Method string
	// Params are the caller's again when the call is over: who wants them longer
	// copies them.
	Params json.RawMessage
	// Members says where the members of Params stand, if that is known already.
	Members *jsonrpc.Object
	// Stream, if set, may be given the result while it arrives, where it is too large
	// to be held and nothing in it has to be changed: once, after the notifications.
	// The call returns no result then, or the error that Stream returned.
	Stream func(Stream) error
	// Notify, if set, is given the notifications that belong to this call, before
	// its result. A progress token in Params is the caller's and comes back as it was.
	Notify func(method string, params json.RawMessage)
	// Ask, if set, answers requests that the server makes during this call
	// (sampling, elicitation, roots).
	Ask func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)
	// ClientCapabilities are those of the downstream client, as it sent them.
	ClientCapabilities json.RawMessage
	// Stateless says that the caller speaks MCP 2026-07-28 or later: a result that
	// asks for input is the caller's to answer, and Ask is not used.
	Stateless bool
	// LogLevel is the level that the caller asked log messages for, or empty.
	LogLevel string
	// AwaitLogin says that a user was sent to the login page just now: the call
	// waits for the outcome before it is made.
	AwaitLogin bool
	// Safe says that the request may be repeated without a second effect.
	Safe bool
	// AtOnce says that the call does not wait for an upstream that is not ready: it
	// fails with [ErrNotReady]. What it asks for that lasts is asked for when it is.
	AtOnce bool
}

// ErrNotReady is matched by the error of a call that was not sent, as the upstream is
// not connected, or not in time.
var ErrNotReady = errors.New("the upstream is not ready")

// Stream is a result that arrives.
type Stream struct {
	// Body yields the result as it came, and then what closes its message. It ends
	// with another error than io.EOF where the message is cut off.
	Body io.Reader
	// Size is how many bytes Body yields, or -1 where that is not known yet.
	Size int64
}

// Catalog is what an upstream offers. It is immutable.
type Catalog struct {
	// ServerInfo and Capabilities are as the server sent them.
	ServerInfo   json.RawMessage
	Capabilities json.RawMessage
	Instructions string
	// ProtocolVersion is the revision that the server speaks.
	ProtocolVersion string

	Tools             []Item
	Resources         []Item
	ResourceTemplates []Item
	Prompts           []Item
	// Generation counts the catalogs of one upstream; 0 means that nothing is known yet.
	Generation uint64
}

// Item is one entry of a list.
type Item struct {
	// Name of a tool or prompt; URI of a resource; URI template of a template.
	Name string
	Raw  json.RawMessage
	// Repeatable says of a tool that calling it twice does no harm (tool annotations,
	// MCP 2025-11-25).
	Repeatable bool
}
