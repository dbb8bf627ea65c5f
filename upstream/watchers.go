package upstream

import (
	"encoding/json"
	"sync"
)

// watchers are told of what the server says outside calls.
type watchers struct {
	mu   sync.Mutex
	next int
	all  map[int]func(string, json.RawMessage)
}

// Watch calls f for each notification that belongs to no call, and for each list
// that was read again, until stop is called. f must not block.
func (u *Upstream) Watch(f func(method string, params json.RawMessage)) (stop func()) {
	w := &u.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[int]func(string, json.RawMessage){}
	}
	w.next++
	id := w.next
	w.all[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}

func (w *watchers) tell(method string, params json.RawMessage) {
	w.mu.Lock()
	all := make([]func(string, json.RawMessage), 0, len(w.all))
	for _, f := range w.all {
		all = append(all, f)
	}
	w.mu.Unlock()
	for _, f := range all {
		f(method, params)
	}
}
