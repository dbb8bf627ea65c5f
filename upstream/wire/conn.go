// Package wire speaks MCP to one server over one connection: streamable HTTP,
// HTTP with server-sent events, or the standard streams of a child process.
//
// It promises that parameters, results and errors pass through byte for byte (on
// the standard streams, a newline between tokens becomes a space), that a notification which belongs to a call reaches that call before
// its result, that cancelling a call tells the server, and that nothing runs any
// more when Close has returned. What a server need not have (a stream of its own, an
// answer to a notification or to the session's end) never decides over the connection,
// and what it says that is no message is passed over.
//
// It knows nothing of tokens (the HTTP client that it is given puts them on and
// turns refusals into errors) and keeps no state beyond the session.
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// Conn is one connection. Handshake comes first and once; then Call and Notify
// may be used by many goroutines, and Listen by one.
type Conn interface {
	// Handshake opens the transport and agrees on the protocol.
	Handshake(ctx context.Context, client Client) (Server, error)
	// Call sends one request and returns the raw result. A server's error object
	// comes back as a [*jsonrpc.Error].
	Call(ctx context.Context, call relay.Call) (json.RawMessage, error)
	Notify(ctx context.Context, method string, params json.RawMessage) error
	// Listen hands on what the server says outside calls. It returns nil when ctx
	// ends, and otherwise why the connection is over.
	Listen(ctx context.Context, listener Listener) error
	// Close ends the session and waits for what still runs; ctx bounds how long the
	// server is told about it.
	Close(ctx context.Context)
}

// Listener is told what concerns no call.
type Listener struct {
	// Notified is given what the server says.
	Notified func(method string, params json.RawMessage)
	// Stream is told where the server's own stream is not there, why, and when it is
	// asked for again; and with nil that it is there after all. Where a connection has
	// no such stream it is told nothing.
	Stream func(err error, again time.Time)
}

// Client is who connects.
type Client struct {
	Name, Version string
	// Capabilities are those of the clients behind the proxy.
	Capabilities json.RawMessage
}

// Server is the other side, from its answer to initialize.
type Server struct {
	Info            json.RawMessage
	Capabilities    json.RawMessage
	Instructions    string
	ProtocolVersion string
}

var (
	// ErrProtocol says that the server answers, but not as the protocol demands.
	ErrProtocol = errors.New("the server does not speak the protocol")
	// ErrUnreadable is the kind of [ErrProtocol] that may pass: a page, or half a message,
	// that something on the way answered.
	ErrUnreadable       = fmt.Errorf("%w: its answer is no message", ErrProtocol)
	errNoCommonRevision = fmt.Errorf("%w in a revision that this program knows", ErrProtocol)
	// ErrSessionLost says that the server does not know the session (404). The
	// request was not carried out. HTTP clients given to [HTTP] return it.
	ErrSessionLost = errors.New("the server no longer knows the session")
	// ErrLost says that the connection broke while an answer was awaited; the
	// request may have been carried out.
	ErrLost = errors.New("the connection broke before the answer came")
)

// initialize opens a session (MCP 2025-11-25 lifecycle), the same on every transport:
// call sends the request, notify the notification behind it. A server need not take the
// notification well: what it answers to requests counts.
func initialize(ctx context.Context, client Client, call func(context.Context, relay.Call) (json.RawMessage, error)) (Server, error) {
	params, err := json.Marshal(map[string]any{
		"protocolVersion": mcp.LATEST_LEGACY_PROTOCOL_VERSION,
		"clientInfo":      map[string]string{"name": client.Name, "version": client.Version},
		"capabilities":    client.Capabilities,
	})
	if err != nil {
		return Server{}, fmt.Errorf("the capabilities of clients: %w", err)
	}
	result, err := call(ctx, relay.Call{Method: string(mcp.MethodInitialize), Params: params})
	var refused *jsonrpc.Error
	if errors.As(err, &refused) {
		return Server{}, errors.Join(ErrProtocol, refused)
	}
	if err != nil {
		return Server{}, err
	}
	server := readServer(result)
	if !mcp.IsValidProtocolVersion(server.ProtocolVersion) {
		return Server{}, errors.Join(ErrProtocol, mcp.UnsupportedProtocolVersionError{Version: server.ProtocolVersion})
	}
	return server, nil
}

// initialized is the notification that follows the handshake.
const initialized = "notifications/initialized"

// unnamed stands for a server that does not say who it is.
const unnamed = `{"name":"","version":""}`

// readServer reads an answer to initialize: only what is needed has to be as it must.
func readServer(result json.RawMessage) Server {
	s := Server{Info: objectAt(result, "serverInfo", unnamed), Capabilities: objectAt(result, "capabilities", "{}")}
	s.Instructions, _ = jsonrpc.String(result, "instructions")
	s.ProtocolVersion, _ = jsonrpc.String(result, "protocolVersion")
	return s
}

// objectAt is an object's member that is an object too; otherwise stands for any other.
func objectAt(object json.RawMessage, name, otherwise string) json.RawMessage {
	if member := jsonrpc.Member(object, name); len(member) > 0 && member[0] == '{' {
		return member
	}
	return json.RawMessage(otherwise)
}

// plainError is an error with a text of its own.
type plainError struct {
	error
	text string
}

func (e *plainError) Error() string { return e.text }
func (e *plainError) Unwrap() error { return e.error }

// plainly has an error of the HTTP client speak for itself, without what was said
// around it on its way here.
func plainly(err error) error {
	var broken *url.Error
	if !errors.As(err, &broken) {
		return err
	}
	return &plainError{err, fmt.Sprintf("%s %q: %v", strings.ToUpper(broken.Op), broken.URL, broken.Err)}
}
