package fsm

import (
	"sync/atomic"
	"time"
)

// Snapshot is a machine at one moment. It is immutable; share it freely.
type Snapshot[S, E ~string, D, P any] struct {
	// Machine is the instance's name.
	Machine string
	// Sequence counts the accepted moves and updates.
	Sequence uint64
	Data     D
	// Regions stand in the order of their declaration.
	Regions []Active[S, E]

	lastEpoch uint64
	postponed []Input[E, P]
}

// Active is one region at one moment.
type Active[S, E ~string] struct {
	Region string
	State  S
	Kind   Kind
	// Epoch of this entry to the state.
	Epoch uint64
	// Since is when the state was entered.
	Since time.Time
	// Job is the running job's name, or empty.
	Job string
	// Timers are armed, earliest first.
	Timers []ArmedTimer[E]
}

// ArmedTimer is a timer that will fire Event at At.
type ArmedTimer[E ~string] struct {
	Event E
	At    time.Time
	Doc   string
}

// Region returns the region's active state; the zero Active if there is no such region.
func (s *Snapshot[S, E, D, P]) Region(name string) Active[S, E] {
	for i := range s.Regions {
		if s.Regions[i].Region == name {
			return s.Regions[i]
		}
	}
	return Active[S, E]{}
}

// Postponed returns the events that will be fired again when their region's state is left.
func (s *Snapshot[S, E, D, P]) Postponed() []E {
	var events []E
	for _, in := range s.postponed {
		events = append(events, in.Event)
	}
	return events
}

// node links a snapshot to its successor, so that a waiter walks through every
// state however slow it is, without a lock and without a queue: the garbage
// collector takes what nobody waits on any more.
type node[S, E ~string, D, P any] struct {
	snapshot *Snapshot[S, E, D, P]
	next     atomic.Pointer[node[S, E, D, P]]
	// replaced is closed when next is set.
	replaced chan struct{}
}

func newNode[S, E ~string, D, P any](s *Snapshot[S, E, D, P]) *node[S, E, D, P] {
	return &node[S, E, D, P]{snapshot: s, replaced: make(chan struct{})}
}

// link makes next the successor and wakes who waits for it.
func (n *node[S, E, D, P]) link(next *node[S, E, D, P]) {
	n.next.Store(next)
	close(n.replaced)
}
