package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	looplab "github.com/looplab/fsm"
)

var errIllegal = errors.New("illegal in this state")

var edges = looplab.Events{
	{Name: coin, Src: []string{locked}, Dst: unlocked},
	{Name: push, Src: []string{unlocked}, Dst: locked},
}

// looplabBare is looplab/fsm and nothing else: it has no guard and counts by hand.
func looplabBare() turnstile {
	m := looplab.NewFSM(locked, edges, nil)
	var c count
	return turnstile{
		pass: alternately(func(event string) error {
			if event == coin {
				c.coins++
			} else {
				c.passages++
			}
			return m.Event(context.Background(), event)
		}),
		illegal: repeatedly(func() error { return m.Event(context.Background(), push) }),
		read: func(n int) (state string) {
			for range n {
				state = m.Current()
			}
			return state
		},
		counted: func() count { return c },
	}
}

// snapshot is what readers are promised, as the engine promises it.
type snapshot struct {
	machine  string
	sequence uint64
	epoch    uint64
	state    string
	since    time.Time
	count    count
}

// made is a move, for the commit hook and the observer.
type made struct {
	from, to, event string
	left, epoch     uint64
	at              time.Time
	after           *snapshot
}

// line is a journal entry.
type line struct {
	at                       time.Time
	machine, event, from, to string
	sequence, epoch          uint64
	disposition, reason      string
}

// raw is looplab/fsm with the same callbacks; see the package comment.
type raw struct {
	mu        sync.Mutex
	fsm       *looplab.FSM
	published atomic.Pointer[snapshot]
	guards    map[at][]func(count, int) error
	commit    func(*made) error
	perform   func(made)
	journal   func(line)

	// The event that is being carried out.
	now   time.Time
	worth int
	move  made
}

// at is one (state, event) pair.
type at struct{ state, event string }

func (r *raw) before(_ context.Context, e *looplab.Event) {
	for _, guard := range r.guards[at{e.Src, e.Event}] {
		if err := guard(r.published.Load().count, r.worth); err != nil {
			e.Cancel(err)
			return
		}
	}
}

func (r *raw) leave(_ context.Context, e *looplab.Event) {
	last := r.published.Load()
	after := &snapshot{machine: last.machine, sequence: last.sequence + 1, epoch: last.epoch + 1, state: e.Dst, since: r.now, count: last.count}
	if e.Event == coin {
		after.count.coins++
	} else {
		after.count.passages++
	}
	r.move = made{from: e.Src, to: e.Dst, event: e.Event, left: last.epoch, epoch: after.epoch, at: r.now, after: after}
	if err := r.commit(&r.move); err != nil {
		e.Cancel(err)
	}
}

func (r *raw) enter(context.Context, *looplab.Event) { r.published.Store(r.move.after) }

func (r *raw) fire(event string, worth int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.published.Load()
	r.worth = worth
	err := r.fsm.Event(context.Background(), event)
	if r.journal == nil {
		return err
	}
	after := r.published.Load()
	entry := line{at: r.now, machine: after.machine, event: event, from: before.state, to: after.state, sequence: after.sequence, epoch: after.epoch, disposition: "moved"}
	if err != nil {
		entry.disposition, entry.reason = "refused", err.Error()
	} else {
		r.perform(r.move)
	}
	r.journal(entry)
	return err
}

func looplabSame() turnstile { return onLooplab(&raw{}) }

func looplabObserved() turnstile {
	var last struct {
		move  made
		entry line
	}
	return onLooplab(&raw{perform: func(m made) { last.move = m }, journal: func(l line) { last.entry = l }})
}

func onLooplab(r *raw) turnstile {
	r.now = time.Now()
	r.published.Store(&snapshot{machine: "turnstile", epoch: 1, state: locked, since: r.now})
	r.commit = func(m *made) error { return agreed(m.epoch) }
	r.guards = map[at][]func(count, int) error{{locked, coin}: {func(_ count, worth int) error {
		if worth < price {
			return errTooLittle
		}
		return nil
	}}}
	r.fsm = looplab.NewFSM(locked, edges, looplab.Callbacks{"before_event": r.before, "leave_state": r.leave, "enter_state": r.enter})
	return turnstile{
		pass:    alternately(func(event string) error { return r.fire(event, price) }),
		illegal: repeatedly(func() error { return r.fire(push, 0) }),
		guarded: repeatedly(func() error { return r.fire(coin, 1) }),
		read: func(n int) (state string) {
			for range n {
				state = r.published.Load().state
			}
			return state
		},
		counted: func() count { return r.published.Load().count },
	}
}
