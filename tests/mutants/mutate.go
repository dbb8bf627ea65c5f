package mutants

import (
	"fmt"
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

type (
	region     = fsm.Region[states.State, transitions.Event, states.Data, transitions.Payload]
	transition = fsm.Transition[states.State, transitions.Event, states.Data, transitions.Payload]
	rule       = fsm.Rule[states.State, transitions.Event]
)

// mutant is the declaration with one change.
type mutant struct {
	kind, name string
	// state and event are where a difference can show first; an empty one is any.
	state states.State
	event transitions.Event
	// timer is the one that is missing.
	timer  transitions.Event
	forget transitions.Event
	// late: it shows only where a job goes on for long after its state has ended.
	late   bool
	change func(*transitions.Spec)
}

// spec makes the changed declaration.
func (m *mutant) spec() *transitions.Spec {
	s := single()
	if m.change != nil {
		m.change(&s)
	}
	return &s
}

// single is the declaration with one row for each state that a row begins in, and
// with nothing in it that another declaration shares.
func single() transitions.Spec {
	s := transitions.Declaration()
	for i := range s.Regions {
		r := &s.Regions[i]
		var rows []transition
		for _, t := range r.Transitions {
			for _, from := range t.From {
				one := t
				one.From = []states.State{from}
				rows = append(rows, one)
			}
		}
		r.Transitions = rows
		r.Joins, r.Postpones, r.Ignores = rules(r.Joins), rules(r.Postpones), rules(r.Ignores)
	}
	return s
}

func rules(rows []rule) []rule {
	var all []rule
	for _, row := range rows {
		for _, from := range row.From {
			all = append(all, rule{From: []states.State{from}, Event: row.Event, Reason: row.Reason})
		}
	}
	return all
}

// all generates every mutant of a region, or of both where none is named, in the order
// of the declaration.
func all(name string) []mutant {
	var m []mutant
	for n, r := range single().Regions {
		if name != "" && name != r.Name {
			continue
		}
		for i := range r.Transitions {
			m = append(m, ofTransition(n, i, &r)...)
		}
		for i := range r.States {
			m = append(m, ofState(n, i, &r.States[i])...)
		}
		for i := range r.Events {
			m = append(m, ofEvent(n, i, &r)...)
		}
		m = append(m, ofRules(n, &r)...)
	}
	return m
}

func without[T any](all []T, i int) []T { return slices.Delete(slices.Clone(all), i, i+1) }

func ofTransition(n, i int, r *region) []mutant {
	t := r.Transitions[i]
	from := t.From[0]
	of := func(kind, what string, change func(*transition)) mutant {
		return mutant{kind: kind, name: fmt.Sprintf("%s %s: %s", from, t.Event, what), state: from, event: t.Event,
			change: func(s *transitions.Spec) { change(&s.Regions[n].Transitions[i]) }}
	}
	m := []mutant{{kind: "transition removed", name: fmt.Sprintf("%s %s: illegal", from, t.Event), state: from, event: t.Event,
		change: func(s *transitions.Spec) { s.Regions[n].Transitions = without(s.Regions[n].Transitions, i) }}}
	for _, s := range r.States {
		if s.Name != t.To {
			m = append(m, of("transition misdirected", fmt.Sprintf("to %s", s.Name), func(t *transition) { t.To = s.Name }))
		}
	}
	for k, g := range t.Guards {
		m = append(m, of("guard removed", "without "+g.Name, func(t *transition) { t.Guards = without(t.Guards, k) }))
	}
	if t.Update != nil {
		m = append(m, of("update dropped", "without its update", func(t *transition) { t.Update = nil }))
	}
	for k, event := range t.Signals {
		m = append(m, of("signal removed", "without "+string(event), func(t *transition) { t.Signals = without(t.Signals, k) }))
	}
	return m
}

func ofState(n, i int, s *fsm.State[states.State, transitions.Event, states.Data, transitions.Payload]) []mutant {
	of := func(kind, what string, change func(*fsm.State[states.State, transitions.Event, states.Data, transitions.Payload])) mutant {
		return mutant{kind: kind, name: fmt.Sprintf("%s: %s", s.Name, what), state: s.Name,
			change: func(spec *transitions.Spec) { change(&spec.Regions[n].States[i]) }}
	}
	type state = fsm.State[states.State, transitions.Event, states.Data, transitions.Payload]
	var m []mutant
	for k, timer := range s.Timers {
		gone := of("timer removed", "without timer "+string(timer.Event), func(s *state) { s.Timers = without(s.Timers, k) })
		gone.timer = timer.Event
		m = append(m, gone)
	}
	for k, event := range s.Signals {
		m = append(m, of("signal removed", "without "+string(event), func(s *state) { s.Signals = without(s.Signals, k) }))
	}
	if s.Job.Name != "" {
		m = append(m, of("job removed", "without job "+s.Job.Name, func(s *state) { s.Job = fsm.Job[transitions.Event]{} }))
	}
	if s.Job.Single {
		twice := of("job not single", "job "+s.Job.Name+" may run twice", func(s *state) { s.Job.Single = false })
		twice.late = true
		m = append(m, twice)
	}
	return m
}

func ofEvent(n, i int, r *region) []mutant {
	e := r.Events[i]
	if e.Bound {
		return []mutant{
			{kind: "epoch not needed", name: string(e.Name) + ": accepted without an epoch", event: e.Name,
				change: func(s *transitions.Spec) { s.Regions[n].Events[i].Bound = false }},
			{kind: "epoch not checked", name: string(e.Name) + ": accepted with an old epoch", event: e.Name, forget: e.Name},
		}
	}
	var m []mutant
	for _, s := range r.States {
		if !declared(r, s.Name, e.Name) {
			m = append(m, mutant{kind: "illegal to postponed", name: fmt.Sprintf("%s %s: postponed", s.Name, e.Name), state: s.Name, event: e.Name,
				change: func(spec *transitions.Spec) {
					r := &spec.Regions[n]
					r.Postpones = append(r.Postpones, rule{From: []states.State{s.Name}, Event: e.Name, Reason: "a mutant"})
				}})
		}
	}
	return m
}

// declared reports whether a row names the pair.
func declared(r *region, state states.State, event transitions.Event) bool {
	for _, t := range r.Transitions {
		if t.From[0] == state && t.Event == event {
			return true
		}
	}
	for _, row := range slices.Concat(r.Joins, r.Postpones, r.Ignores) {
		if row.From[0] == state && row.Event == event {
			return true
		}
	}
	return false
}

func ofRules(n int, r *region) []mutant {
	var m []mutant
	for _, table := range []struct {
		name string
		rows []rule
		of   func(*region) *[]rule
	}{
		{"joined", r.Joins, func(r *region) *[]rule { return &r.Joins }},
		{"postponed", r.Postpones, func(r *region) *[]rule { return &r.Postpones }},
		{"ignored", r.Ignores, func(r *region) *[]rule { return &r.Ignores }},
	} {
		for i, row := range table.rows {
			of := func(to string, change func(*region)) mutant {
				return mutant{kind: table.name + " to " + to, name: fmt.Sprintf("%s %s: %s instead of %s", row.From[0], row.Event, to, table.name),
					state: row.From[0], event: row.Event,
					change: func(s *transitions.Spec) {
						r := &s.Regions[n]
						rows := table.of(r)
						*rows = without(*rows, i)
						change(r)
					}}
			}
			m = append(m, of("illegal", func(*region) {}))
			if table.name == "postponed" {
				m = append(m, of("ignored", func(r *region) { r.Ignores = append(r.Ignores, row) }))
			} else {
				m = append(m, of("postponed", func(r *region) { r.Postpones = append(r.Postpones, row) }))
			}
		}
	}
	return m
}
