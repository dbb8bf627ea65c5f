package wire

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"mcpproxy/relay"
)

// ask answers one request of the server.
type ask = func(ctx context.Context, method string, params json.RawMessage) (json.RawMessage, error)

// askers are the running calls whose callers can answer what the server asks.
// Where a request of the server does not come on a call's own stream, the protocol
// does not say which call it belongs to; the youngest is taken.
type askers struct {
	mu    sync.Mutex
	calls []*relay.Call // oldest first
}

// add registers a call until done.
func (a *askers) add(call *relay.Call) (done func()) {
	if call.Ask == nil {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, call)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.calls = slices.DeleteFunc(a.calls, func(c *relay.Call) bool { return c == call })
	}
}

// youngest returns nil when there is nobody to ask.
func (a *askers) youngest() ask {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.calls) == 0 {
		return nil
	}
	return a.calls[len(a.calls)-1].Ask
}
