package diagrams

import (
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// boxes draws the states of a region with draw, those of a composite state in a box round
// them. A composite state that holds all that is drawn, or one state, has no box: it would
// tell nothing.
func (p *picture) boxes(r fsm.GraphRegion, draw func(fsm.GraphState)) {
	var drawn []fsm.GraphState
	for _, s := range r.States {
		if s.Kind != fsm.Final {
			drawn = append(drawn, s)
		}
	}
	var within func(composite string)
	within = func(composite string) {
		for _, s := range drawn {
			if s.Within == composite {
				draw(s)
			}
		}
		for _, c := range r.Composites {
			if c.Within != composite {
				continue
			}
			if !p.boxed || !isBox(r, c.Name) {
				within(c.Name)
				continue
			}
			if slices.Contains(p.folded, c.Name) {
				p.leaf(r, c)
				continue
			}
			p.line("    subgraph %s {", quote("cluster_"+r.Name+"."+c.Name))
			p.line("    class=composite; style=\"rounded,filled\"; fillcolor=%s; color=%s; fontcolor=%s; fontsize=%g; labeljust=l; margin=8; "+
				"label=%s; tooltip=%s;",
				quote(boxFill), quote(boxLine), quote(quiet), p.small+1,
				quote(strings.Join(append([]string{c.Name}, p.notes[c.Name]...), "\n")), quote(c.Doc))
			within(c.Name)
			p.line("    }")
		}
	}
	within("")
}

// isBox reports whether a composite state is drawn as a box.
func isBox(r fsm.GraphRegion, composite string) bool {
	n, final := len(members(r, composite)), finals(r)
	drawn := 0
	for _, s := range r.States {
		if !final[s.Name] {
			drawn++
		}
	}
	return n > 1 && n < drawn
}

// boxesOf are the boxes round a state, from the outside in, and then the state itself, where
// it is drawn.
func (p *picture) boxesOf(r fsm.GraphRegion, state string) (all []string) {
	for _, c := range r.Composites { // those in others stand behind them
		if isBox(r, c.Name) && slices.Contains(members(r, c.Name), state) {
			if all = append(all, c.Name); slices.Contains(p.folded, c.Name) {
				return all
			}
		}
	}
	return append(all, state)
}

// shown is what of a state is drawn: itself, or the box that it is folded into.
func (p *picture) shown(r fsm.GraphRegion, state string) string {
	all := p.boxesOf(r, state)
	return all[len(all)-1]
}

// families puts what leads from each state of a box to one state outside it at the box.
func families(r fsm.GraphRegion) fsm.GraphRegion {
	for _, c := range r.Composites { // those in others stand behind them
		inner := members(r, c.Name)
		if !isBox(r, c.Name) {
			continue
		}
		from := map[string]int{}
		for _, e := range r.Edges {
			if slices.Contains(inner, e.From) && !slices.Contains(inner, e.To) && !e.Main {
				from[e.Event+" "+e.To]++
			}
		}
		var edges []fsm.GraphEdge
		told := map[string]bool{}
		for _, e := range r.Edges {
			key := e.Event + " " + e.To
			switch {
			case !slices.Contains(inner, e.From) || e.Main || from[key] < len(inner):
				edges = append(edges, e)
			case !told[key]:
				told[key] = true
				e.From = c.Name
				edges = append(edges, e)
			}
		}
		r.Edges = edges
	}
	return r
}

// many is how many states a region has whose inner composite states are folded.
const many = 12

// foldable are the composite states of a region that stand in the box of another.
func foldable(r fsm.GraphRegion) (all []string) {
	if len(r.States) <= many {
		return nil
	}
	for _, c := range r.Composites {
		if isBox(r, c.Name) && isBox(r, c.Within) && !slices.Contains(all, c.Within) {
			all = append(all, c.Name)
		}
	}
	return all
}

// leaf draws a composite state as one box with the names of its states.
func (p *picture) leaf(r fsm.GraphRegion, c fsm.GraphComposite) {
	var names strings.Builder
	inner := members(r, c.Name)
	for i, name := range inner {
		names.WriteString(padded(name))
		if i < len(inner)-1 {
			names.WriteString("<BR ALIGN=\"LEFT\"/>")
		}
	}
	p.line("    %s [id=%s, class=%s, tooltip=%s, label=<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"3\" "+
		"STYLE=\"ROUNDED\" BGCOLOR=%s COLOR=%s><TR><TD ALIGN=\"LEFT\"><B>%s</B></TD></TR><TR><TD ALIGN=\"LEFT\" BALIGN=\"LEFT\"><FONT "+
		"POINT-SIZE=\"%g\">%s</FONT></TD></TR></TABLE>>];",
		quote(r.Name+"."+c.Name), quote(StateID(r.Name, c.Name)), quote("composite"), quote(c.Doc), quote("white"), quote(boxLine),
		escape(c.Name)+"&#160;", p.small, names.String())
}

// lifted are the lines of an overview: those of the main way, with their events, and one
// for all others that lead from one box to another, or from or to a state that stands in no
// box of its own there.
func (p *picture) lifted(r fsm.GraphRegion) []edge {
	var all []edge
	known := map[string]bool{}
	final := finals(r)
	for _, main := range []bool{true, false} {
		for _, e := range edges(r) {
			from, to := p.boxesOf(r, e.from), p.boxesOf(r, e.to)
			if final[e.to] || e.main != main {
				continue
			}
			if main { // from state to state, as far as they are drawn
				from, to = from[len(from)-1:], to[len(to)-1:]
			}
			for len(from) > 1 && len(to) > 1 && from[0] == to[0] {
				from, to = from[1:], to[1:]
			}
			key := from[0] + " " + to[0]
			if from[0] == to[0] || known[key] {
				continue
			}
			known[key] = true
			e.ways = mainOnly(e.ways)
			e.from, e.to = from[0], to[0]
			all = append(all, e)
		}
	}
	return all
}

// Colours of boxes: light enough that those in one another stay apart from the states.
const (
	boxFill = "#f6f8fa"
	boxLine = "#d0d7de"
)

// members are the states of a composite state that are drawn, those in composite states in
// it too.
func members(r fsm.GraphRegion, composite string) (all []string) {
	round := map[string]string{}
	for _, c := range r.Composites {
		round[c.Name] = c.Within
	}
	for _, s := range r.States {
		var outer []string
		for c := s.Within; c != ""; c = round[c] {
			outer = append(outer, c)
		}
		if s.Kind != fsm.Final && slices.Contains(outer, composite) {
			all = append(all, s.Name)
		}
	}
	return all
}
