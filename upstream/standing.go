package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/upstream/wire"
)

// standing is what clients asked for that holds until they ask otherwise: the
// resources that they listen to, and the level of log messages. A server forgets it
// with the session, and a child process with its life, so that each new connection is
// told of it (MCP 2026-07-28 transports, stdio: restarts).
type standing struct {
	mu    sync.Mutex
	calls map[string]relay.Call // by what they ask for
}

// note takes a call to the books that asks for something lasting. It comes before the
// call is sent, so that a connection which is made meanwhile is told too; drop takes the
// call out again where the server refused it.
func (s *standing) note(call *relay.Call) (drop func()) {
	uri, _ := jsonrpc.String(call.Params, "uri")
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Method {
	case "resources/subscribe", "logging/setLevel":
		if s.calls == nil {
			s.calls = map[string]relay.Call{}
		}
		key := call.Method + " " + uri
		before, there := s.calls[key]
		s.calls[key] = relay.Call{Method: call.Method, Params: bytes.Clone(call.Params), Safe: true}
		return func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if delete(s.calls, key); there {
				s.calls[key] = before
			}
		}
	case "resources/unsubscribe":
		delete(s.calls, "resources/subscribe "+uri)
	}
	return func() {}
}

// stands makes a call that asks for something lasting.
func (u *Upstream) stands(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	drop := u.standing.note(&call)
	result, err := u.send(ctx, call)
	if err != nil && !(call.AtOnce && errors.Is(err, relay.ErrNotReady)) {
		drop()
	}
	return result, err
}

// askAgain tells a new connection what stands. What the server refuses now is logged
// and stays: it may offer it again another time.
func (u *Upstream) askAgain(ctx context.Context, conn wire.Conn) error {
	u.standing.mu.Lock()
	calls := maps.Clone(u.standing.calls)
	u.standing.mu.Unlock()
	within, stop := context.WithTimeoutCause(wire.AsOptional(ctx), otherLists, errUnanswered)
	defer stop()
	for _, key := range slices.Sorted(maps.Keys(calls)) {
		_, err := conn.Call(within, calls[key])
		switch {
		case err == nil:
		case ctx.Err() != nil || decides(err, false):
			return fmt.Errorf("%s: %w", calls[key].Method, err)
		default:
			u.logger.Warn("the server no longer takes what it was asked for before the connection was made again", "request", key, "error", err)
		}
	}
	return nil
}
