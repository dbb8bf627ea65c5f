package fsm

import (
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a machine. All are optional.
type Options[S, E ~string, D, P any] struct {
	// Commit is called under the machine's lock before each move takes effect.
	// Its error vetoes the move and everything that belongs to its step. It must
	// be quick, do no I/O and fire no event.
	Commit func(*Move[S, E, D, P]) error
	// Perform is given each move, in order, outside the lock.
	Perform func(Move[S, E, D, P])
	// Journal is given an entry for each event, accepted or refused, in order,
	// outside the lock, after Perform.
	Journal func(Entry)
	// Panicked is told of panics in Perform and Journal. Nil logs them.
	Panicked func(*PanicError)
}

// Machine is one instance of a definition. All methods are safe for concurrent use.
type Machine[S, E ~string, D, P any] struct {
	definition *Definition[S, E, D, P]
	options    Options[S, E, D, P]

	mu      sync.Mutex // serialises events; held for the decision only
	current atomic.Pointer[node[S, E, D, P]]

	outbox outbox[S, E, D, P]
}

// New starts a machine in the initial states of its regions, as of now.
func New[S, E ~string, D, P any](d *Definition[S, E, D, P], name string, data D, now time.Time, o Options[S, E, D, P]) *Machine[S, E, D, P] {
	m := &Machine[S, E, D, P]{definition: d, options: o}
	m.start(name, data, now)
	return m
}

func (m *Machine[S, E, D, P]) start(name string, data D, now time.Time) {
	first, moves := m.definition.Start(name, data, now)
	m.current.Store(newNode(first))
	m.outbox.put(moves, nil)
	m.outbox.drain(m.deliver)
}

// Definition returns the definition that the machine runs on.
func (m *Machine[S, E, D, P]) Definition() *Definition[S, E, D, P] { return m.definition }

// Snapshot returns the machine as it is now: one atomic load, no lock, no
// allocation. The snapshot is immutable.
func (m *Machine[S, E, D, P]) Snapshot() *Snapshot[S, E, D, P] { return m.current.Load().snapshot }

// Fire gives the machine an event and returns what became of it. It takes
// microseconds and never waits for a job.
//
// A refusal is an error ([*IllegalTransitionError], [*StaleError], [*GuardError],
// [*VetoError], or one that wraps [ErrUnknownEvent] or [ErrReentrant]) and leaves
// the machine exactly as it was. Joined, postponed and ignored events are no
// errors; the outcome says which.
//
// Anybody may call it at any time, from observers too, but not from a guard,
// update, timer or commit hook.
func (m *Machine[S, E, D, P]) Fire(in Input[E, P]) (Outcome[S], error) {
	if !m.mu.TryLock() {
		if insideCallback() {
			return Outcome[S]{Disposition: Vetoed, Reason: ErrReentrant.Error()}, ErrReentrant
		}
		m.mu.Lock()
	}
	steps := m.decide(in)
	m.outbox.drain(m.deliver)
	return steps.Outcome, steps.Err
}

// decide runs the step and publishes its result. It holds the lock on entry and releases it.
func (m *Machine[S, E, D, P]) decide(in Input[E, P]) Steps[S, E, D, P] {
	defer m.mu.Unlock()
	last := m.current.Load()
	after, steps := m.definition.Step(last.snapshot, in, m.options.Commit)
	if after == last.snapshot {
		m.outbox.put(nil, steps.Entries)
		return steps
	}
	// Waiters walk through every state of the step; readers see its end only. The
	// end is there for readers before any waiter is woken: who has waited for a
	// state must not read an older one.
	first := newNode(after)
	end := first
	for i := len(steps.Moves) - 1; i >= 0; i-- {
		if passed := steps.Moves[i].After; passed != after {
			before := newNode(passed)
			before.link(first)
			first = before
		}
	}
	m.current.Store(end)
	last.link(first)
	m.outbox.put(steps.Moves, steps.Entries)
	return steps
}

// Wait returns the first snapshot, from the present one on, for which condition
// holds. It sees every state that the machine passes through, however short. It
// returns the context's error when ctx ends first. condition is called without
// any lock and may do what it likes.
func (m *Machine[S, E, D, P]) Wait(ctx context.Context, condition func(*Snapshot[S, E, D, P]) bool) (*Snapshot[S, E, D, P], error) {
	for at := m.current.Load(); ; at = at.next.Load() {
		if condition(at.snapshot) {
			return at.snapshot, nil
		}
		select {
		case <-at.replaced:
		case <-ctx.Done():
			return at.snapshot, context.Cause(ctx)
		}
	}
}

func (m *Machine[S, E, D, P]) deliver(d delivery[S, E, D, P]) {
	defer func() {
		if value := recover(); value != nil {
			m.panicked(&PanicError{Callback: "observer", Value: value})
		}
	}()
	if d.move != nil && m.options.Perform != nil {
		m.options.Perform(*d.move)
	}
	if d.entry != nil && m.options.Journal != nil {
		m.options.Journal(*d.entry)
	}
}

func (m *Machine[S, E, D, P]) panicked(err *PanicError) {
	if m.options.Panicked != nil {
		m.options.Panicked(err)
		return
	}
	slog.Error("state machine observer panicked", "machine", m.Snapshot().Machine, "error", err)
}

// insideCallback reports whether the calling goroutine is inside user code that
// runs under a machine's lock. It is asked only when the lock is taken, which
// for a re-entrant call it always is.
func insideCallback() bool {
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for {
			frame, more := frames.Next()
			if strings.HasSuffix(frame.Function, "/fsm.userCode") {
				return true
			}
			if !more {
				break
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}
