package fsm

import "sync"

// outbox hands moves and journal entries to observers in the order in which
// they were decided, outside the machine's lock. Whoever finds it idle empties
// it; an event fired by an observer is delivered after the one being observed.
type outbox[S, E ~string, D, P any] struct {
	mu       sync.Mutex
	queue    []delivery[S, E, D, P]
	draining bool // somebody is emptying the queue and will see what is added
}

// delivery is a move or an entry.
type delivery[S, E ~string, D, P any] struct {
	move  *Move[S, E, D, P]
	entry *Entry
}

func (o *outbox[S, E, D, P]) put(moves []Move[S, E, D, P], entries []Entry) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range moves {
		o.queue = append(o.queue, delivery[S, E, D, P]{move: &moves[i]})
	}
	for i := range entries {
		o.queue = append(o.queue, delivery[S, E, D, P]{entry: &entries[i]})
	}
}

func (o *outbox[S, E, D, P]) drain(deliver func(delivery[S, E, D, P])) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.draining {
		return
	}
	o.draining = true
	for len(o.queue) > 0 {
		batch := o.queue
		o.queue = nil
		o.mu.Unlock()
		for _, d := range batch {
			deliver(d)
		}
		o.mu.Lock()
	}
	o.draining = false
}
