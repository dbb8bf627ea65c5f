package diagrams

import (
	"fmt"

	"mcpproxy/fsm"
)

// Concern is a part of a graph that is looked at by itself.
type Concern struct {
	Name, Title, Doc string
	// Way are the rows of the main path, in its order; Otherwise are
	// those that may be met on it.
	Way, Otherwise []Row
}

// Row names what the graph says of an event in a state.
type Row struct{ Region, State, Event string }

// UnknownRowError names rows of a concern that the graph has no transition and no
// rule for.
type UnknownRowError struct {
	Concern string
	Rows    []Row
}

func (e *UnknownRowError) Error() string {
	return fmt.Sprintf("the concern %s names rows that the graph does not have: %v", e.Concern, e.Rows)
}

// Select returns the part of the graph that the concern names: its rows, with the
// states that they touch. The way's transitions are marked as the main ones. The
// error is an [UnknownRowError].
func Select(g fsm.Graph, c Concern) (fsm.Graph, error) {
	wanted, main := map[Row]bool{}, map[Row]bool{}
	for _, row := range c.Way {
		wanted[row], main[row] = true, true
	}
	for _, row := range c.Otherwise {
		wanted[row] = true
	}
	found := map[Row]bool{}
	selected := fsm.Graph{Name: c.Name}
	for _, r := range g.Regions {
		part := selectRegion(r, wanted, main, found)
		if len(part.States) > 0 {
			selected.Regions = append(selected.Regions, part)
		}
	}
	var unknown []Row
	for _, row := range append(append([]Row{}, c.Way...), c.Otherwise...) {
		if !found[row] {
			unknown = append(unknown, row)
		}
	}
	if unknown != nil {
		return fsm.Graph{}, &UnknownRowError{Concern: c.Name, Rows: unknown}
	}
	return selected, nil
}

func selectRegion(r fsm.GraphRegion, wanted, main, found map[Row]bool) fsm.GraphRegion {
	part := r
	part.States, part.Edges, part.Rules = nil, nil, nil
	touched := map[string]bool{}
	events := map[string]bool{}
	for _, e := range r.Edges {
		row := Row{r.Name, e.From, e.Event}
		if !wanted[row] {
			continue
		}
		found[row], touched[e.From], touched[e.To], events[e.Event] = true, true, true, true
		e.Main = main[row]
		part.Edges = append(part.Edges, e)
	}
	for _, rule := range r.Rules {
		if row := (Row{r.Name, rule.From, rule.Event}); wanted[row] {
			found[row], touched[rule.From] = true, true
			part.Rules = append(part.Rules, rule)
		}
	}
	for _, s := range r.States {
		if touched[s.Name] {
			part.States = append(part.States, s)
		}
	}
	return part
}
