package fsm

import (
	"fmt"
	"slices"
)

// Compile checks spec and turns it into a definition. Every problem is reported
// at once, in a [*DefinitionError]. The spec must not be changed afterwards.
func Compile[S, E ~string, D, P any](spec Spec[S, E, D, P]) (*Definition[S, E, D, P], error) {
	d := &Definition[S, E, D, P]{name: spec.Name, home: map[E]int{}, columns: map[E]*column[S, E, D, P]{}, remark: remarks[P]()}
	d.runs.New = func() any { return &run[S, E, D, P]{} }
	c := &compiler[S, E, D, P]{definition: d}
	if spec.Name == "" {
		c.problem("the definition has no name")
	}
	if len(spec.Regions) == 0 {
		c.problem("the definition has no regions")
	}
	for i, source := range spec.Regions {
		r := &region[S, E, D, P]{index: i, spec: source,
			states: map[S]*State[S, E, D, P]{}, places: map[S]*Place[S]{}, events: map[E]*Event[E]{},
			rules: map[pair[S, E]]rule[S, E, D, P]{}, accepted: map[S][]string{}}
		d.regions = append(d.regions, r)
		c.names(r)
	}
	for _, r := range d.regions {
		c.rules(r)
		c.states(r)
		c.ways(r)
	}
	if len(c.problems) == 0 {
		c.agreement()
	}
	if len(c.problems) > 0 {
		return nil, &DefinitionError{Name: spec.Name, Problems: c.problems}
	}
	for _, r := range d.regions {
		d.tabulate(r)
	}
	return d, nil
}

// tabulate lays the rules of a region out by event and number of the state.
func (d *Definition[S, E, D, P]) tabulate(r *region[S, E, D, P]) {
	for i := range r.spec.Events {
		event := &r.spec.Events[i]
		c := &column[S, E, D, P]{region: r, event: event}
		for j := range r.spec.States {
			row := r.rules[pair[S, E]{r.spec.States[j].Name, event.Name}]
			if t := row.transition; t != nil {
				row.to, row.place, row.signals = r.states[t.To], r.places[t.To], t.Signals
				if row.disposition == Moved {
					row.signals = slices.Concat(t.Signals, row.to.Signals)
				}
			}
			c.rules = append(c.rules, row)
		}
		d.columns[event.Name] = c
	}
}

type compiler[S, E ~string, D, P any] struct {
	definition *Definition[S, E, D, P]
	problems   []string
}

func (c *compiler[S, E, D, P]) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// names records the states and events of a region.
func (c *compiler[S, E, D, P]) names(r *region[S, E, D, P]) {
	name := r.spec.Name
	if name == "" {
		c.problem("region %d has no name", r.index)
	}
	for _, other := range c.definition.regions[:r.index] {
		if other.spec.Name == name {
			c.problem("region %s is declared twice", name)
		}
	}
	for i := range r.spec.States {
		state := &r.spec.States[i]
		if r.states[state.Name] != nil {
			c.problem("%s: state %s is declared twice", name, state.Name)
		}
		r.states[state.Name] = state
		r.places[state.Name] = &Place[S]{
			Region: name,
			State:  state.Name,
			Kind:   state.Kind,
			Doc:    state.Doc,
			Job:    state.Job.Name,
			Tags:   state.Tags,
			number: i,
		}
	}
	for i := range r.spec.Events {
		event := &r.spec.Events[i]
		if home, ok := c.definition.home[event.Name]; ok {
			c.problem("%s: event %s is declared already in region %s", name, event.Name, c.definition.regions[home].spec.Name)
		}
		c.definition.home[event.Name] = r.index
		r.events[event.Name] = event
		if event.Doc == "" {
			c.problem("%s: event %s has no doc line", name, event.Name)
		}
		if event.Otherwise == "" {
			c.problem("%s: event %s does not say why it is illegal elsewhere", name, event.Name)
		}
	}
	if r.states[r.spec.Initial] == nil {
		c.problem("%s: the initial state %q is not declared", name, r.spec.Initial)
	}
}

// rules fills the total table.
func (c *compiler[S, E, D, P]) rules(r *region[S, E, D, P]) {
	for i := range r.spec.Transitions {
		t := &r.spec.Transitions[i]
		c.transition(r, t)
		disposition := Moved
		for _, from := range t.From {
			if from == t.To {
				disposition = Updated
			}
			c.rule(r, from, t.Event, rule[S, E, D, P]{disposition: disposition, transition: t, reason: t.Doc})
			disposition = Moved
		}
	}
	for disposition, rows := range map[Disposition][]Rule[S, E]{Joined: r.spec.Joins, Postponed: r.spec.Postpones, Ignored: r.spec.Ignores} {
		for _, row := range rows {
			if row.Reason == "" {
				c.problem("%s: %s is %s without a reason", r.spec.Name, row.Event, disposition)
			}
			for _, from := range row.From {
				c.rule(r, from, row.Event, rule[S, E, D, P]{disposition: disposition, reason: row.Reason})
			}
		}
	}
	for i := range r.spec.Events {
		event := &r.spec.Events[i]
		used := false
		for j := range r.spec.States {
			at := pair[S, E]{r.spec.States[j].Name, event.Name}
			if row, ok := r.rules[at]; ok {
				used = true
				if row.disposition != Ignored {
					r.accepted[at.state] = append(r.accepted[at.state], string(event.Name))
				}
				continue
			}
			r.rules[at] = rule[S, E, D, P]{disposition: Illegal, reason: event.Otherwise}
		}
		if !used {
			c.problem("%s: event %s is declared and no row names it", r.spec.Name, event.Name)
		}
	}
}

func (c *compiler[S, E, D, P]) rule(r *region[S, E, D, P], from S, event E, row rule[S, E, D, P]) {
	if r.states[from] == nil {
		c.problem("%s: %s: state %s is not declared", r.spec.Name, event, from)
		return
	}
	if r.events[event] == nil {
		c.problem("%s: event %s is not declared in this region", r.spec.Name, event)
		return
	}
	at := pair[S, E]{from, event}
	if earlier, ok := r.rules[at]; ok {
		c.problem("%s: (%s, %s) has two meanings: %s and %s", r.spec.Name, from, event, earlier.disposition, row.disposition)
		return
	}
	r.rules[at] = row
}

func (c *compiler[S, E, D, P]) transition(r *region[S, E, D, P], t *Transition[S, E, D, P]) {
	if len(t.From) == 0 {
		c.problem("%s: a transition on %s comes from nowhere", r.spec.Name, t.Event)
	}
	if r.states[t.To] == nil {
		c.problem("%s: %s leads to %s, which is not declared", r.spec.Name, t.Event, t.To)
	}
	for _, guard := range t.Guards {
		if guard.Name == "" || guard.Doc == "" || guard.Check == nil {
			c.problem("%s: a guard on %s lacks its name, doc line or check", r.spec.Name, t.Event)
		}
	}
	if t.Update == nil && slices.Contains(t.From, t.To) {
		c.problem("%s: (%s, %s) is an internal transition that updates nothing; declare it joined or ignored", r.spec.Name, t.To, t.Event)
	}
	c.signals(r, string(t.Event), t.Signals)
}

func (c *compiler[S, E, D, P]) signals(r *region[S, E, D, P], where string, signals []E) {
	for _, signal := range signals {
		home, ok := c.definition.home[signal]
		switch {
		case !ok:
			c.problem("%s: %s signals %s, which no region declares", r.spec.Name, where, signal)
		case home == r.index:
			c.problem("%s: %s signals %s to its own region", r.spec.Name, where, signal)
		}
	}
}
