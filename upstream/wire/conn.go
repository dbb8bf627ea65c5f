// Package wire speaks MCP to one server over one connection: streamable HTTP,
// HTTP with server-sent events, or the standard streams of a child process.
//
// It promises that parameters, results and errors pass through byte for byte (on
// the standard streams, a newline between tokens becomes a space), that a notification which belongs to a call reaches that call before
// its result, that cancelling a call tells the server, and that nothing runs any
// more when Close has returned. The handshake and the transports that are not
// streamable HTTP are mcp-go's, which get what they would decode packed as text;
// requests over streamable HTTP are sent here, as bytes.
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

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/client/transport"
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
	Listen(ctx context.Context, notification func(method string, params json.RawMessage)) error
	// Close ends the session and waits for what still runs; ctx bounds how long the
	// server is told about it.
	Close(ctx context.Context)
}

// Client is who connects.
type Client struct {
	Name, Version string
	// Capabilities are those of the clients behind the proxy.
	Capabilities json.RawMessage
}

// Server is the other side, from its answer to initialize.
type Server struct {
	Info            json.RawMessage `json:"serverInfo"`
	Capabilities    json.RawMessage `json:"capabilities"`
	Instructions    string          `json:"instructions"`
	ProtocolVersion string          `json:"protocolVersion"`
}

var (
	// ErrProtocol says that the server answers, but not as the protocol demands.
	ErrProtocol         = errors.New("the server does not speak the protocol")
	errNoCommonRevision = fmt.Errorf("%w in a revision that this program knows", ErrProtocol)
	// ErrSessionLost says that the server does not know the session (404). The
	// request was not carried out. HTTP clients given to [HTTP] return it.
	ErrSessionLost = errors.New("the server no longer knows the session")
	// ErrLost says that the connection broke while an answer was awaited; the
	// request may have been carried out.
	ErrLost = errors.New("the connection broke before the answer came")
)

// handshake is the initialize exchange of MCP 2025-11-25 lifecycle, the same on
// every transport.
func handshake(ctx context.Context, t transport.Interface, client Client) (Server, error) {
	params := map[string]any{
		"protocolVersion": mcp.LATEST_LEGACY_PROTOCOL_VERSION,
		"clientInfo":      map[string]string{"name": client.Name, "version": client.Version},
		"capabilities":    client.Capabilities,
	}
	response, err := t.SendRequest(ctx, transport.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: mcp.NewRequestId(int64(0)), Method: string(mcp.MethodInitialize), Params: params})
	if err != nil {
		return Server{}, plainly(err)
	}
	if response.Error != nil {
		return Server{}, errors.Join(ErrProtocol, errorOf(response.Error))
	}
	var server Server
	if err := json.Unmarshal(response.Result, &server); err != nil {
		return Server{}, errors.Join(ErrProtocol, err)
	}
	if !mcp.IsValidProtocolVersion(server.ProtocolVersion) {
		return Server{}, errors.Join(ErrProtocol, mcp.UnsupportedProtocolVersionError{Version: server.ProtocolVersion})
	}
	if versioned, ok := t.(transport.HTTPConnection); ok {
		versioned.SetProtocolVersion(server.ProtocolVersion)
	}
	err = t.SendNotification(ctx, mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{Method: "notifications/initialized"}})
	return server, err
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

func errorOf(details *mcp.JSONRPCErrorDetails) *jsonrpc.Error {
	e := &jsonrpc.Error{Code: details.Code, Message: details.Message}
	if details.Data != nil {
		e.Data, _ = json.Marshal(details.Data) // it came as JSON
	}
	return unpackError(e)
}
