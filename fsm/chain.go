package fsm

import (
	"context"
	"sync/atomic"
)

// node links a snapshot to its successor, so that a waiter walks through every
// state however slow it is, without a lock and without a queue: the garbage
// collector takes what nobody waits on any more. It is apart from the snapshot, so
// that who keeps an old snapshot does not keep all that came after it.
type node[S, E ~string, D, P any] struct {
	snapshot *Snapshot[S, E, D, P]
	next     atomic.Pointer[node[S, E, D, P]]
	// bell is there once somebody waits for next.
	bell atomic.Pointer[bell]
}

// bell wakes everybody who waits, by being closed.
type bell struct{ rung chan struct{} }

// link makes next the successor and wakes who waits for it.
func (n *node[S, E, D, P]) link(next *node[S, E, D, P]) {
	n.next.Store(next)
	// Who hangs a bell up from now on looks at next afterwards.
	if b := n.bell.Load(); b != nil {
		close(b.rung)
	}
}

// successor waits for the state after n.
func (n *node[S, E, D, P]) successor(ctx context.Context) (*node[S, E, D, P], error) {
	if next := n.next.Load(); next != nil && ctx.Err() == nil {
		return next, nil
	}
	b := n.bell.Load()
	if b == nil {
		b = &bell{rung: make(chan struct{})}
		if !n.bell.CompareAndSwap(nil, b) {
			b = n.bell.Load()
		}
	}
	if next := n.next.Load(); next != nil && ctx.Err() == nil {
		return next, nil // linked before it could see the bell
	}
	select {
	case <-b.rung:
		return n.next.Load(), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
