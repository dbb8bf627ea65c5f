package fsm

import (
	"fmt"
	"slices"
)

// Lower returns the region as flat rows in the order of the chart, a composite state's
// before those of the states in it. Every conflict between a state and what is round it
// is reported at once, in a [*DefinitionError].
func (c Chart[S, E, D, P]) Lower() (Region[S, E, D, P], error) {
	l := &lowering[S, E, D, P]{chart: &c, by: map[E]Actor{},
		region: Region[S, E, D, P]{Name: c.Name, Doc: c.Doc, Initial: c.Initial, Events: c.Events}}
	for _, event := range c.Events {
		l.by[event.Name] = event.By
	}
	for i := range c.States {
		l.node(&c.States[i], nil)
	}
	for i := range c.States {
		l.rows(&c.States[i])
	}
	l.names()
	if len(l.problems) > 0 {
		return Region[S, E, D, P]{}, &DefinitionError{Name: c.Name, Problems: l.problems}
	}
	return l.region, nil
}

type lowering[S, E ~string, D, P any] struct {
	chart    *Chart[S, E, D, P]
	by       map[E]Actor
	region   Region[S, E, D, P]
	problems []string
}

func (l *lowering[S, E, D, P]) problem(format string, args ...any) {
	l.problems = append(l.problems, l.chart.Name+": "+fmt.Sprintf(format, args...))
}

// node lowers what a block says of itself, and looks for conflicts with those round it,
// which are given from the inside out.
func (l *lowering[S, E, D, P]) node(n *Node[S, E, D, P], round []*Node[S, E, D, P]) {
	l.conflicts(n, round)
	var within S
	if len(round) > 0 {
		within = round[0].Name
	}
	if len(n.States) > 0 {
		if n.Job.Name != "" || n.Kind != "" || n.Next != "" {
			l.problem("composite state %s has a kind, a job or what comes next; only the states in it may", n.Name)
		}
		if n.Doc == "" {
			l.problem("composite state %s has no doc line", n.Name)
		}
		l.region.Composites = append(l.region.Composites, Composite[S]{Name: n.Name, Doc: n.Doc, Within: within})
		inner := append([]*Node[S, E, D, P]{n}, round...)
		for i := range n.States {
			l.node(&n.States[i], inner)
		}
		return
	}
	state := State[S, E, D, P]{
		Name:      n.Name,
		Kind:      n.Kind,
		Doc:       n.Doc,
		Next:      n.Next,
		Job:       n.Job,
		Within:    within,
		Tags:      slices.Clone(n.Tags),
		Timers:    slices.Clone(n.Timers),
		Signals:   slices.Clone(n.Signals),
		Proposals: slices.Clone(n.Proposals),
		Offers:    slices.Clone(n.Offers),
	}
	for _, outer := range round {
		state.Tags = append(state.Tags, outer.Tags...)
		state.Timers = append(state.Timers, outer.Timers...)
		state.Signals = append(state.Signals, outer.Signals...)
		state.Proposals = append(state.Proposals, outer.Proposals...)
		state.Offers = append(state.Offers, outer.Offers...)
	}
	for _, name := range slices.Concat(repeated(state.Tags), repeated(state.Signals), repeated(timerEvents(state.Timers))) {
		l.problem("state %s and what is round it have %s twice", n.Name, name)
	}
	l.region.States = append(l.region.States, state)
}

// names looks for composite states that are called like another or like a state.
func (l *lowering[S, E, D, P]) names() {
	var all []S
	for _, composite := range l.region.Composites {
		all = append(all, composite.Name)
	}
	for i := range l.region.States {
		all = append(all, l.region.States[i].Name)
	}
	for _, name := range repeated(all) {
		l.problem("%s is declared twice", name)
	}
}

// conflicts holds the rows of a block against each other and against those round it.
func (l *lowering[S, E, D, P]) conflicts(n *Node[S, E, D, P], round []*Node[S, E, D, P]) {
	var own []E
	for i := range n.Rows {
		row := &n.Rows[i]
		own = append(own, row.On...)
		l.row(n, row)
		for _, event := range row.On {
			outer := owner(round, event)
			switch {
			case outer != nil && !row.Instead:
				l.problem("(%s, %s) has a meaning already: that of %s, which is round it", n.Name, event, outer.Name)
			case outer == nil && row.Instead:
				l.problem("(%s, %s) stands instead of a row that nothing round it has", n.Name, event)
			}
		}
	}
	for _, event := range repeated(own) {
		l.problem("(%s, %s) has two meanings", n.Name, event)
	}
}

// row checks one row by itself.
func (l *lowering[S, E, D, P]) row(n *Node[S, E, D, P], row *Row[S, E, D, P]) {
	if len(row.On) == 0 {
		l.problem("a row of %s has no event", n.Name)
	}
	changes := row.To != "" || row.Guards != nil || row.Update != nil || row.Signals != nil || row.Main
	switch row.Disposition {
	case "":
		if row.To != "" && row.To == n.Name {
			l.problem("(%s, %v) leads to itself: leave To empty for a state that stays", n.Name, row.On)
		}
		return
	case Joined, Postponed, Ignored:
	case Illegal:
		if !row.Instead {
			l.problem("(%s, %v) is illegal without a row, as nothing round it says otherwise", n.Name, row.On)
		}
	default:
		l.problem("(%s, %v) cannot be declared %s", n.Name, row.On, row.Disposition)
	}
	if changes {
		l.problem("(%s, %v) is %s and changes nothing, but has more than its reason", n.Name, row.On, row.Disposition)
	}
}

// rows lowers the rows of a block and then those of the blocks in it.
func (l *lowering[S, E, D, P]) rows(n *Node[S, E, D, P]) {
	for i := range n.Rows {
		row := &n.Rows[i]
		for _, event := range row.On {
			from := governed(n, event)
			if len(from) == 0 {
				l.problem("(%s, %s): every state in it has a row of its own instead", n.Name, event)
			}
			l.lower(row, event, from)
		}
	}
	for i := range n.States {
		l.rows(&n.States[i])
	}
}

// lower adds what a row says of one event in the states that it governs.
func (l *lowering[S, E, D, P]) lower(row *Row[S, E, D, P], event E, from []S) {
	rule := Rule[S, E]{From: from, Event: event, Reason: row.Doc}
	switch row.Disposition {
	case Illegal:
		return
	case Joined:
		l.region.Joins = append(l.region.Joins, rule)
		return
	case Postponed:
		l.region.Postpones = append(l.region.Postpones, rule)
		return
	case Ignored:
		l.region.Ignores = append(l.region.Ignores, rule)
		return
	}
	t := Transition[S, E, D, P]{From: from, Event: event, To: row.To, Guards: row.Guards, Update: row.Update,
		Signals: row.Signals, Doc: row.Doc, Main: row.Main}
	if l.by[event] == Person && l.chart.User.Check != nil {
		t.Guards = append([]Guard[E, D, P]{l.chart.User}, row.Guards...)
	}
	if row.To != "" {
		if slices.Contains(from, row.To) {
			l.problem("(%s, %s) leads from a composite state to %s in it, which needs a row of its own", row.To, event, row.To)
		}
		l.region.Transitions = append(l.region.Transitions, t)
		return
	}
	for _, state := range from {
		t.From, t.To = []S{state}, state
		l.region.Transitions = append(l.region.Transitions, t)
	}
}

// governed are the states for which n's own row on the event holds: n itself, or those
// in it between which and n nothing has a row of its own.
func governed[S, E ~string, D, P any](n *Node[S, E, D, P], event E) []S {
	if len(n.States) == 0 {
		return []S{n.Name}
	}
	var all []S
	for i := range n.States {
		if inner := &n.States[i]; owner([]*Node[S, E, D, P]{inner}, event) == nil {
			all = append(all, governed(inner, event)...)
		}
	}
	return all
}

// owner is the first of the blocks that has a row on the event.
func owner[S, E ~string, D, P any](blocks []*Node[S, E, D, P], event E) *Node[S, E, D, P] {
	for _, block := range blocks {
		if slices.ContainsFunc(block.Rows, func(row Row[S, E, D, P]) bool { return slices.Contains(row.On, event) }) {
			return block
		}
	}
	return nil
}

// repeated are the names that stand more than once, as text.
func repeated[N ~string](names []N) []string {
	var twice []string
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			twice = append(twice, string(name))
		}
	}
	return twice
}

func timerEvents[E ~string, D any](timers []Timer[E, D]) []E {
	var all []E
	for _, timer := range timers {
		all = append(all, timer.Event)
	}
	return all
}
