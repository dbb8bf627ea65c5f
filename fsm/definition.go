package fsm

import (
	"slices"
	"sync"
)

// Definition is a compiled [Spec]: immutable, shared by every machine of its
// kind, safe for concurrent use.
type Definition[S, E ~string, D, P any] struct {
	name    string
	regions []*region[S, E, D, P]
	// home is the region of each event.
	home map[E]int
	// columns has the rules of each event in all states of its region.
	columns map[E]*column[S, E, D, P]
	// remark returns what a payload says about itself, for the journal.
	remark func(*P) string
	// runs holds what steps are carried out with, to be used again.
	runs sync.Pool
}

// region is a compiled Region.
type region[S, E ~string, D, P any] struct {
	index  int
	spec   Region[S, E, D, P]
	states map[S]*State[S, E, D, P]
	events map[E]*Event[E]
	places map[S]*Place[S]
	// rules is total: every pair of a declared state and a declared event is in it.
	rules    map[pair[S, E]]rule[S, E, D, P]
	accepted map[S][]string
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
	// to is the state after the transition.
	to    *State[S, E, D, P]
	place *Place[S]
	// signals are those of the transition and then those of the state that it enters.
	signals []E
}

// column is what one event means, by the number of the state: the table as the
// hot path reads it, with one look-up for each event.
type column[S, E ~string, D, P any] struct {
	region *region[S, E, D, P]
	event  *Event[E]
	rules  []rule[S, E, D, P]
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

// Place returns what is true of a state of a region whatever machine is in it, or nil
// where it is not declared.
func (d *Definition[S, E, D, P]) Place(region string, state S) *Place[S] {
	for _, r := range d.regions {
		if r.spec.Name == region {
			return r.places[state]
		}
	}
	return nil
}

// Proposed are the events that the machine is to be offered after the move, in the
// order of their declaration: by a runtime that made the move, and by a checker.
func (d *Definition[S, E, D, P]) Proposed(move *Move[S, E, D, P]) []E {
	if move.Disposition != Moved {
		return nil
	}
	var events []E
	for _, r := range d.regions {
		if r.spec.Name != move.Region {
			continue
		}
		for _, p := range r.states[move.To].Proposals {
			if p.When == nil || p.When(r.places[move.From], move.After.Data) {
				events = append(events, p.Event)
			}
		}
	}
	return events
}

// Offered is what a user can do in the machine's states, the most useful first: what each
// region offers in the order of the declaration, and then what each offers last. An event
// that two of them offer is in it once.
func (d *Definition[S, E, D, P]) Offered(s *Snapshot[S, E, D, P]) []Offered {
	var all []Offered
	for _, last := range []bool{false, true} {
		for i, r := range d.regions {
			for _, offer := range r.states[s.Regions[i].State].Offers {
				known := slices.ContainsFunc(all, func(o Offered) bool { return o.Event == string(offer.Event) })
				if offer.Last == last && !known && (offer.When == nil || offer.When(s)) {
					all = append(all, Offered{Event: string(offer.Event), Doc: offer.Doc})
				}
			}
		}
	}
	return all
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
