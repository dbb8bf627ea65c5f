package proxy

import (
	"context"
	"errors"

	"mcpproxy/jsonrpc"
)

var (
	errCancelled    = errors.New("the client cancelled the request")
	errInputLate    = errors.New("the client did not send the input that the server asked for")
	errInputEnded   = errors.New("the client has ended its input and can answer nothing")
	errAbandoned    = errors.New("the client is gone")
	errSessionEnded = errors.New("the session has ended")
)

// errorObject is what the client is told of an error.
func errorObject(err error) *jsonrpc.Error {
	var object *jsonrpc.Error
	switch {
	case errors.As(err, &object):
		return object
	case errors.Is(err, context.DeadlineExceeded):
		return jsonrpc.Errorf(jsonrpc.CodeUnavailable, "the call took too long")
	}
	return jsonrpc.Errorf(jsonrpc.CodeInternal, "%v", err)
}
