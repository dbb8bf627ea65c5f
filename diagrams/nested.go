package diagrams

import (
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// node is a state, a composite state or a region as statechart languages nest them. What
// all its states say of an event stands at a composite state, once.
type node struct {
	id, name, doc string
	// state is nil where the node has others in it.
	state *fsm.GraphState
	rows  []fsm.GraphEdge
	// timed are the rows of the state's own timers, which run in it wherever their rows stand.
	timed   []fsm.GraphEdge
	rules   []fsm.GraphRule
	inner   []*node
	initial *node
}

// nest builds the tree of a region.
func nest(r fsm.GraphRegion) *node {
	root := &node{id: r.Name, name: r.Name, doc: r.Doc}
	at := map[string]*node{"": root}
	for _, c := range r.Composites { // those in others stand behind them
		n := &node{id: nodeID(r.Name, c.Name), name: c.Name, doc: c.Doc}
		at[c.Name], at[c.Within].inner = n, append(at[c.Within].inner, n)
	}
	for i := range r.States {
		s := &r.States[i]
		n := &node{id: nodeID(r.Name, s.Name), name: s.Name, doc: s.Doc, state: s}
		at[s.Within].inner = append(at[s.Within].inner, n)
		for _, e := range r.Edges {
			if e.From == s.Name {
				n.rows = append(n.rows, e)
				if slices.ContainsFunc(s.Timers, func(timer fsm.GraphTimer) bool { return timer.Event == e.Event }) {
					n.timed = append(n.timed, e)
				}
			}
		}
		for _, rule := range r.Rules {
			if rule.From == s.Name {
				n.rules = append(n.rules, rule)
			}
		}
	}
	root.hoist()
	root.begin(r.Initial)
	return root
}

// nodeID names a state in a whole graph; a dot would be a path to those who read it.
func nodeID(region, state string) string { return region + "-" + state }

// hoist puts the rows that all nodes within have in common at the node round them.
func (n *node) hoist() {
	for _, inner := range n.inner {
		inner.hoist()
	}
	if len(n.inner) == 0 {
		return
	}
	for _, row := range slices.Clone(n.inner[0].rows) {
		everywhere := !slices.ContainsFunc(n.inner, func(inner *node) bool { return !slices.ContainsFunc(inner.rows, same(row)) })
		if !everywhere {
			continue
		}
		n.rows = append(n.rows, row)
		for _, inner := range n.inner {
			inner.rows = slices.DeleteFunc(inner.rows, same(row))
		}
	}
}

// same reports whether a row is the other one in another state.
func same(as fsm.GraphEdge) func(fsm.GraphEdge) bool {
	return func(e fsm.GraphEdge) bool {
		return e.Event == as.Event && e.Internal == as.Internal && (e.Internal || e.To == as.To) && e.Doc == as.Doc && e.Main == as.Main &&
			slices.Equal(e.Guards, as.Guards) && slices.Equal(e.Signals, as.Signals)
	}
}

// begin sets where each node begins: on the way to the initial state, or with its first.
func (n *node) begin(initial string) (there bool) {
	if n.state != nil {
		return n.state.Name == initial
	}
	n.initial = n.inner[0]
	for _, inner := range n.inner {
		if inner.begin(initial) {
			n.initial, there = inner, true
		}
	}
	return there
}

// guardOf is the one name for all guards of a row: they have to allow it together.
func guardOf(e *fsm.GraphEdge) string {
	var names []string
	for _, guard := range e.Guards {
		names = append(names, guard.Name)
	}
	return strings.Join(names, " and ")
}
