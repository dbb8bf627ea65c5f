package fsm

import (
	"slices"
	"time"
)

// Snapshot is a machine at one moment. It is immutable; share it freely.
type Snapshot[S, E ~string, D, P any] struct {
	*Identity
	// Sequence counts the accepted moves and updates.
	Sequence uint64
	Data     D
	// Regions stand in the order of their declaration.
	Regions []Active[S, E]

	// postponed points to the events that are, if any are: few snapshots have some.
	postponed *[]Input[E, P]
}

// Identity is what all snapshots of a machine share. It is immutable.
type Identity struct {
	// Machine is the instance's name.
	Machine string
}

// Active is one region at one moment.
type Active[S, E ~string] struct {
	*Place[S]
	// Epoch of this entry to the state.
	Epoch uint64
	// Since is when the state was entered.
	Since time.Time
	// Timers are armed, earliest first.
	Timers []ArmedTimer[E]
}

// Place is a state of a region, the same for every machine that is in it. It is
// immutable.
type Place[S ~string] struct {
	Region string
	State  S
	Kind   Kind
	// Doc is the state's sentence.
	Doc string
	// Job is the name of the job that runs in the state, or empty.
	Job string
	// Tags say what is true of the state.
	Tags []Tag

	// number is that of the state in the declaration.
	number int
}

// Is reports whether the state has the tag.
func (p *Place[S]) Is(tag Tag) bool { return slices.Contains(p.Tags, tag) }

// ArmedTimer is a timer that will fire Event at At.
type ArmedTimer[E ~string] struct {
	Event E
	At    time.Time
	Doc   string
}

// Region returns the region's active state; one without a name if there is no such region.
func (s *Snapshot[S, E, D, P]) Region(name string) Active[S, E] {
	for i := range s.Regions {
		if s.Regions[i].Region == name {
			return s.Regions[i]
		}
	}
	return Active[S, E]{Place: &Place[S]{}}
}

// Postponed returns the events that will be fired again when their region's state is left.
func (s *Snapshot[S, E, D, P]) Postponed() []E {
	var events []E
	for _, in := range s.later() {
		events = append(events, in.Event)
	}
	return events
}

// later returns the postponed events.
func (s *Snapshot[S, E, D, P]) later() []Input[E, P] {
	if s.postponed == nil {
		return nil
	}
	return *s.postponed
}

// lastEpoch is that of the last entry that was made: no later one has been left
// without another.
func (s *Snapshot[S, E, D, P]) lastEpoch() uint64 {
	last := uint64(0)
	for i := range s.Regions {
		last = max(last, s.Regions[i].Epoch)
	}
	return last
}

// A snapshot and its regions are one allocation where they are no more than two.
type (
	withOne[S, E ~string, D, P any] struct {
		Snapshot[S, E, D, P]
		regions [1]Active[S, E]
	}
	withTwo[S, E ~string, D, P any] struct {
		Snapshot[S, E, D, P]
		regions [2]Active[S, E]
	}
)

// copy returns a snapshot like s that may be changed until it is shown to anybody.
func (s *Snapshot[S, E, D, P]) copy() *Snapshot[S, E, D, P] {
	switch len(s.Regions) {
	case 1:
		after := &withOne[S, E, D, P]{Snapshot: *s, regions: [1]Active[S, E](s.Regions)}
		after.Regions = after.regions[:]
		return &after.Snapshot
	case 2:
		after := &withTwo[S, E, D, P]{Snapshot: *s, regions: [2]Active[S, E](s.Regions)}
		after.Regions = after.regions[:]
		return &after.Snapshot
	}
	after := *s
	after.Regions = slices.Clone(s.Regions)
	return &after
}
