package fsm

import (
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
	// be quick, do no I/O, fire no event and not keep the move.
	Commit func(*Move[S, E, D, P]) error
	// Perform is shown each move, in order, outside the lock. It may keep a copy of
	// the move, and not the move itself.
	Perform func(*Move[S, E, D, P])
	// Journal is shown an entry for each event, accepted or refused, in order,
	// outside the lock, after Perform. It may keep a copy, and not the entry itself.
	Journal func(*Entry)
	// Panicked is told of panics in Perform and Journal. Nil logs them.
	Panicked func(*PanicError)
}

// Machine is one instance of a definition. All methods are safe for concurrent use.
type Machine[S, E ~string, D, P any] struct {
	definition *Definition[S, E, D, P]
	options    Options[S, E, D, P]

	mu      sync.Mutex // serialises events; held for the decision only
	current atomic.Pointer[Snapshot[S, E, D, P]]
	waiting waiting[S, E, D, P] // guarded by mu
	outbox  outbox[S, E, D, P]  // guarded by mu
}

// New starts a machine in the initial states of its regions, as of now.
func New[S, E ~string, D, P any](d *Definition[S, E, D, P], name string, data D, now time.Time,
	o Options[S, E, D, P]) *Machine[S, E, D, P] {
	m := &Machine[S, E, D, P]{definition: d, options: o}
	m.start(name, data, now)
	return m
}

func (m *Machine[S, E, D, P]) start(name string, data D, now time.Time) {
	first, moves := m.definition.Start(name, data, now)
	m.current.Store(first)
	if !m.observed() {
		return
	}
	r := m.definition.runs.Get().(*run[S, E, D, P])
	r.Moves = append(r.Moves, moves...)
	m.mu.Lock()
	mine := m.outbox.put(r)
	m.mu.Unlock()
	if mine {
		m.deliver(r)
	}
}

// Definition returns the definition that the machine runs on.
func (m *Machine[S, E, D, P]) Definition() *Definition[S, E, D, P] { return m.definition }

// Snapshot returns the machine as it is now: one atomic load, no lock, no
// allocation. The snapshot is immutable.
func (m *Machine[S, E, D, P]) Snapshot() *Snapshot[S, E, D, P] { return m.current.Load() }

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
func (m *Machine[S, E, D, P]) Fire(in Input[E, P]) (outcome Outcome[S], err error) {
	if err := m.lock(); err != nil {
		return Outcome[S]{Disposition: Vetoed, Reason: err.Error()}, err
	}
	r := m.definition.runs.Get().(*run[S, E, D, P])
	mine, err := m.decide(r, &in, &outcome)
	if mine {
		m.deliver(r)
	}
	return outcome, err
}

// lock takes the lock, unless the caller holds it already.
func (m *Machine[S, E, D, P]) lock() error {
	if !m.mu.TryLock() {
		if insideCallback() {
			return ErrReentrant
		}
		m.mu.Lock()
	}
	return nil
}

// decide carries out the step, publishes its result and puts it into the outbox.
// It holds the lock on entry and releases it; r is the caller's from then on only
// where mine says that the caller is to deliver.
func (m *Machine[S, E, D, P]) decide(r *run[S, E, D, P], in *Input[E, P], outcome *Outcome[S]) (mine bool, err error) {
	defer m.mu.Unlock()
	before := m.current.Load()
	r.silent = m.options.Journal == nil
	after := r.step(m.definition, before, in, m.options.Commit)
	*outcome, err = r.Outcome, r.Err
	if after != before {
		m.current.Store(after)
		m.waiting.passed(r.Moves, after)
	}
	if !m.observed() {
		m.definition.reuse(r)
		return false, err
	}
	if mine = m.outbox.put(r); !mine {
		m.definition.keep(r)
	}
	return mine, err
}

func (m *Machine[S, E, D, P]) observed() bool {
	return m.options.Perform != nil || m.options.Journal != nil
}

// deliver shows observers the step r, and then those that were decided meanwhile.
func (m *Machine[S, E, D, P]) deliver(r *run[S, E, D, P]) {
	for r != nil {
		if m.options.Perform != nil {
			for i := range r.Moves {
				m.perform(&r.Moves[i])
			}
		}
		if m.options.Journal != nil {
			for i := range r.Entries {
				m.journal(&r.Entries[i])
			}
		}
		m.mu.Lock()
		next := m.outbox.next()
		m.mu.Unlock()
		m.definition.reuse(r)
		r = next
	}
}

func (m *Machine[S, E, D, P]) perform(move *Move[S, E, D, P]) {
	defer m.caught()
	m.options.Perform(move)
}

func (m *Machine[S, E, D, P]) journal(entry *Entry) {
	defer m.caught()
	m.options.Journal(entry)
}

func (m *Machine[S, E, D, P]) caught() {
	if value := recover(); value != nil {
		m.panicked(&PanicError{Callback: "observer", Value: value})
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
			if strings.Contains(frame.Function, "/fsm.(*attempt[") {
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
