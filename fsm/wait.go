package fsm

import "context"

// waiting is who waits for a machine. While someone does, the machine links each
// state that it passes through to the one before, so that a waiter walks through
// all of them however slow it is, without a queue: the garbage collector takes
// what nobody waits on any more. While nobody waits, it costs nothing.
type waiting[S, E ~string, D, P any] struct {
	waiters int
	// last is the machine's present state; nil while nobody waits.
	last *link[S, E, D, P]
}

// link is a state that someone may wait in. It is apart from the snapshot, so that
// who keeps an old snapshot does not keep all that came after it.
type link[S, E ~string, D, P any] struct {
	snapshot *Snapshot[S, E, D, P]
	// next may be read once left is closed.
	next *link[S, E, D, P]
	left chan struct{}
}

func newLink[S, E ~string, D, P any](s *Snapshot[S, E, D, P]) *link[S, E, D, P] {
	return &link[S, E, D, P]{snapshot: s, left: make(chan struct{})}
}

// passed tells waiters of the states that a step has led through, after the last
// of them was published: who has waited for a state must not read an older one.
func (w *waiting[S, E, D, P]) passed(moves []Move[S, E, D, P], after *Snapshot[S, E, D, P]) {
	if w.waiters == 0 {
		return
	}
	for i := range moves {
		if s := moves[i].After; s != after {
			w.enter(s)
		}
	}
	w.enter(after)
}

func (w *waiting[S, E, D, P]) enter(s *Snapshot[S, E, D, P]) {
	next := newLink(s)
	w.last.next = next
	close(w.last.left)
	w.last = next
}

// Wait returns the first snapshot, from the present one on, for which condition
// holds. It sees every state that the machine passes through, however short. It
// returns the context's error when ctx ends first. condition is called without
// any lock and may do what it likes. Like Fire, it is not for guards, updates,
// timers and commit hooks, and returns [ErrReentrant] there.
func (m *Machine[S, E, D, P]) Wait(ctx context.Context, condition func(*Snapshot[S, E, D, P]) bool) (*Snapshot[S, E, D, P], error) {
	at, err := m.join()
	if err != nil {
		return m.Snapshot(), err
	}
	defer m.part()
	for !condition(at.snapshot) {
		select {
		case <-at.left:
			at = at.next
		case <-ctx.Done():
			return at.snapshot, context.Cause(ctx)
		}
	}
	return at.snapshot, nil
}

// join makes the caller a waiter from the present state on.
func (m *Machine[S, E, D, P]) join() (*link[S, E, D, P], error) {
	if err := m.lock(); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if m.waiting.waiters == 0 {
		m.waiting.last = newLink(m.Snapshot())
	}
	m.waiting.waiters++
	return m.waiting.last, nil
}

// part ends what join began.
func (m *Machine[S, E, D, P]) part() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting.waiters--; m.waiting.waiters == 0 {
		m.waiting.last = nil
	}
}
