package fsm

import (
	"sync"

	looplab "github.com/looplab/fsm"
)

// Definition is a compiled [Spec]: immutable, shared by every machine of its
// kind, safe for concurrent use.
type Definition[S, E ~string, D, P any] struct {
	name    string
	regions []*region[S, E, D, P]
	// home is the region of each event.
	home map[E]int
}

// region is a compiled Region.
type region[S, E ~string, D, P any] struct {
	index  int
	spec   Region[S, E, D, P]
	states map[S]*State[S, E, D]
	events map[E]*Event[E]
	// rules is total: every pair of a declared state and a declared event is in it.
	rules    map[pair[S, E]]rule[S, E, D, P]
	accepted map[S][]string
	// pool holds looplab machines of this region; see the package comment.
	pool sync.Pool
}

type pair[S, E ~string] struct {
	state S
	event E
}

// rule is what one (state, event) pair means.
type rule[S, E ~string, D, P any] struct {
	disposition Disposition
	transition  *Transition[S, E, D, P]
	reason      string
}

// Name returns the name of the kind of machine.
func (d *Definition[S, E, D, P]) Name() string { return d.name }

// Accepted returns the events of the region that are neither ignored nor illegal
// in state, in the order of their declaration. The caller must not change it.
func (d *Definition[S, E, D, P]) Accepted(region string, state S) []string {
	for _, r := range d.regions {
		if r.spec.Name == region {
			return r.accepted[state]
		}
	}
	return nil
}

// Jobs returns the names of all jobs, in the order of their declaration.
func (d *Definition[S, E, D, P]) Jobs() []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range d.regions {
		for _, state := range r.spec.States {
			if name := state.Job.Name; name != "" && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// carrier is one looplab machine with a slot for the attempt it carries out.
type carrier[S, E ~string, D, P any] struct {
	fsm     *looplab.FSM
	attempt *attempt[S, E, D, P]
}

func (r *region[S, E, D, P]) newCarrier() *carrier[S, E, D, P] {
	c := &carrier[S, E, D, P]{}
	var edges []looplab.EventDesc
	for i := range r.spec.Transitions {
		t := &r.spec.Transitions[i]
		edge := looplab.EventDesc{Name: string(t.Event), Dst: string(t.To)}
		for _, from := range t.From {
			edge.Src = append(edge.Src, string(from))
		}
		edges = append(edges, edge)
	}
	c.fsm = looplab.NewFSM(string(r.spec.Initial), edges, looplab.Callbacks{
		"before_event": c.before,
		"leave_state":  c.leave,
		"enter_state":  c.enter,
	})
	return c
}
