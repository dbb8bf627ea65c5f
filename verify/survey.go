package verify

import (
	"context"
	"fmt"
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Atlas has, for the places of a graph, situations that lie just before them. Until a
// search comes to a place, a graph that differs from another one there alone is explored
// exactly as that one is; so it may begin where the other one's search came near.
type Atlas struct {
	mode   Mode
	places map[string][]place
}

// Places are situations in which a search begins.
type Places []root

// Before returns situations in which something can happen next that gives the machine
// an event in a state, on a way on which that never happened before. An empty event
// stands for the entry to the state.
func (a *Atlas) Before(state states.State, event transitions.Event) Places {
	return rootsOf(a.places[name(string(state), string(event))])
}

// Arming returns situations in which something can happen next that arms a timer of a
// state, on a way on which that never happened before.
func (a *Atlas) Arming(state states.State, timer transitions.Event) Places {
	return rootsOf(a.places[name(string(state), "arms "+string(timer))])
}

// In returns situations in which the machine is in a state.
func (a *Atlas) In(state states.State) Places { return rootsOf(a.places["in "+string(state)]) }

func rootsOf(places []place) Places {
	var all Places
	for _, p := range places {
		all = append(all, root{"a situation that " + p.kind, p.world})
	}
	return all
}

// place is a situation, with what kind it is of: one of each kind is kept.
type place struct {
	kind  string
	world *world
}

// perPlace is how many situations are kept before one place.
const perPlace = 24

// Survey explores a graph as [Explore] does, and keeps what it came by.
func Survey(ctx context.Context, o Options) (*Atlas, Report, error) {
	spec := transitions.Declaration()
	if o.Spec != nil {
		spec = *o.Spec
	}
	graph, err := fsm.Compile(spec)
	if err != nil {
		return nil, Report{Mode: o.Mode}, err
	}
	s := newSearch(graph, spec, o)
	s.survey = &survey{Atlas: Atlas{mode: o.Mode, places: map[string][]place{}}}
	for _, x := range s.explorers {
		x.surveys = true
	}
	report, err := s.run(ctx)
	return &s.survey.Atlas, report, err
}

type survey struct {
	Atlas
	// touched are the places that the way to each node came to last.
	touched [][]string
}

func name(state, event string) string { return state + " " + event }

// touch remembers the places that a step came to: states with the events that they
// were given, and states that were entered.
func (x *explorer) touch(steps *transitions.Steps) {
	if !x.surveys {
		return
	}
	for i := range steps.Entries {
		x.touched = append(x.touched, name(steps.Entries[i].From, steps.Entries[i].Event))
	}
	for i := range steps.Moves {
		move := &steps.Moves[i]
		if move.Disposition == fsm.Moved {
			x.touched = append(x.touched, name(string(move.To), ""))
		}
		for _, timer := range move.Timers {
			x.touched = append(x.touched, name(string(move.To), "arms "+string(timer.Event)))
		}
	}
}

// note keeps the world of a node where its successors came to places that no way to
// it came to.
func (v *survey) note(s *search, at int32, w *world, successors []successor) {
	for _, r := range w.machine.Regions {
		v.keep(s, at, "in "+string(r.State), w, 0)
	}
	for i := range successors {
		for _, touched := range successors[i].touched {
			v.keep(s, at, touched, w, successors[i].action)
		}
	}
}

func (v *survey) keep(s *search, at int32, name string, w *world, action int16) {
	known := v.places[name]
	if len(known) == perPlace {
		return
	}
	kind := w.kind(action)
	if slices.ContainsFunc(known, func(k place) bool { return k.kind == kind }) {
		return
	}
	for ; at >= 0; at = s.nodes[at].parent {
		if slices.Contains(v.touched[at], name) {
			return
		}
	}
	v.places[name] = append(known, place{kind, w})
}

// kind says roughly what a situation is: states, and what the machine and the disk hold.
func (w *world) kind(action int16) string {
	d := &w.machine.Data
	return fmt.Sprint(action, w.state(states.Connection), w.state(states.Credential), d.Token != nil, d.Token.HasRefresh(), d.KeepsToken(),
		d.TokenUsable(w.now()),
		d.Uncertain != nil, len(d.Scopes) > 0, d.RefreshAttempts, d.Issued == generationOf(d.Token), w.disk.token != nil, w.disk.intent != nil,
		w.disk.flow != nil, len(w.jobs), w.machine.Postponed())
}
