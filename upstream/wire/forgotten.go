package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// A server that does not know a session has to answer 404 (MCP 2025-11-25 transports,
// session management). Many answer something else that says so in words: 400 with "No valid
// session ID provided" or "Server not initialized", 503, or a JSON-RPC error under 200.
// Words may be a tool's own, so that they are not believed: the session is asked with a
// ping, and is lost where that is answered in the same way.

// Refusal is an answer with a status that says no: what HTTP clients given to [HTTP] return
// where they do not return a [*StatusError].
type Refusal interface {
	error
	// Answer is the status and the beginning of the body.
	Answer() (status int, body []byte)
}

// Answer implements [Refusal].
func (e *StatusError) Answer() (int, []byte) { return e.Status, e.Body }

// aboutSession is how such a message begins, behind what the server puts before it.
var aboutSession = regexp.MustCompile(`^((bad request|not found|error|invalid request|unauthorized)[:,.]? *)*` +
	`((an? |the )?(mcp )?session|(no|an?|the)? ?(valid|active|invalid|unknown|unrecognized|missing|expired|stale)[a-z ]* (mcp[- ])?session|` +
	`(missing|invalid|unknown|no|unrecognized)( or [a-z]+)? (mcp[- ])?session|mcp-session-id|could not find (a |the )?session|` +
	`(the )?server (is )?not (yet )?initialized)`)

// mayHaveForgotten reports whether an answer says, in words, that the server does not know
// the session.
func mayHaveForgotten(err error) bool {
	var (
		refused Refusal
		object  *jsonrpc.Error
	)
	switch {
	case errors.As(err, &refused):
		status, body := refused.Answer()
		if object = errorIn(body); object == nil {
			return status == http.StatusGone || aboutSession.MatchString(strings.ToLower(messageOf(body)))
		}
	case !errors.As(err, &object):
		return false
	}
	switch object.Code {
	case jsonrpc.CodeMethodNotFound, jsonrpc.CodeInvalidParams:
		return false // it knows the session, as it has looked at the request
	}
	return aboutSession.MatchString(strings.ToLower(strings.TrimSpace(object.Message)))
}

// messageOf is what a body that is no JSON-RPC says.
func messageOf(body []byte) string {
	for _, name := range []string{"error", "message", "detail", "error_description"} {
		if text, there := jsonrpc.String(body, name); there {
			return strings.TrimSpace(text)
		}
	}
	return strings.TrimSpace(string(body))
}

// sessionCheck bounds how long a server may take to say whether it knows the session.
const sessionCheck = 5 * time.Second

// forgotten reports whether the server no longer knows the session, after an answer to a
// call that may say so.
func (c *httpConn) forgotten(ctx context.Context, call *relay.Call, err error) bool {
	if c.posting.Get("Mcp-Session-Id") == "" || call.Method == string(mcp.MethodPing) || !mayHaveForgotten(err) {
		return false
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), sessionCheck)
	defer stop()
	_, _, asked := c.send(ctx, relay.Call{Method: string(mcp.MethodPing), Params: json.RawMessage(`{}`)})
	return errors.Is(asked, ErrSessionLost) || mayHaveForgotten(asked)
}
