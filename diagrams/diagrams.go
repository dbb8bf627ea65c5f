// Package diagrams draws declared graphs: DOT, Mermaid and Markdown from the same
// [fsm.Graph] that the machines run on.
//
// It promises that the same graph gives the same bytes, that no text of the graph
// can break out of its place in the output, and that every state and way that is
// drawn has a name in the picture by which it can be found ([StateID], [WayID]).
// It lays nothing out; that is package layout, so that programs which only draw
// text carry no layout engine.
package diagrams

import (
	"mcpproxy/fsm"
)

// StateID is the id of a state in a picture.
func StateID(region, state string) string { return region + "." + state }

// WayID is the id of the line between two states in a picture; it stands for
// every event that leads this way.
func WayID(region, from, to string) string { return region + "." + from + "-" + to }

// edge is every way between two states, as one line of the picture.
type edge struct {
	from, to    string
	ways        []fsm.GraphEdge
	main, timed bool
	// timers are the events that a timer of from fires.
	timers map[string]bool
}

func (e *edge) labels() []string {
	var all []string
	for _, way := range e.ways {
		all = append(all, label(way, e.timers[way.Event]))
	}
	return all
}

// edges joins the ways between the same two states; internal ones are left out.
func edges(r fsm.GraphRegion) []edge {
	timers := timersOf(r)
	var all []edge
	at := map[string]int{}
	for _, e := range r.Edges {
		if e.Internal {
			continue
		}
		key := e.From + " " + e.To
		if _, there := at[key]; !there {
			at[key] = len(all)
			all = append(all, edge{from: e.From, to: e.To, timed: true, timers: map[string]bool{}})
		}
		joined := &all[at[key]]
		timed := timers[e.From+" "+e.Event]
		joined.timers[e.Event] = timed
		joined.ways = append(joined.ways, e)
		joined.main = joined.main || e.Main
		joined.timed = joined.timed && timed
	}
	return all
}

func timersOf(r fsm.GraphRegion) map[string]bool {
	timers := map[string]bool{}
	for _, state := range r.States {
		for _, timer := range state.Timers {
			timers[state.Name+" "+timer.Event] = true
		}
	}
	return timers
}

func label(e fsm.GraphEdge, timed bool) string {
	text := e.Event
	if timed {
		text = "timer " + text
	}
	for _, guard := range e.Guards {
		text += " [" + guard.Name + "]"
	}
	return text
}

func finals(r fsm.GraphRegion) map[string]bool {
	final := map[string]bool{}
	for _, s := range r.States {
		final[s.Name] = s.Kind == fsm.Final
	}
	return final
}
