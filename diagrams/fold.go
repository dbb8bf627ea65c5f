package diagrams

import (
	"fmt"
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// crowd is to how many states a way must come from, or a state from how many
// others be reached, for the ways to be written into the states instead of drawn.
const crowd = 5

// dense is from how many lines on only the main way has its events beside it; those
// of the others are written into the states where they begin.
const dense = 24

// folded is a region as a picture shows it: lines that can be followed with the eye,
// and texts in the states for the ways that would be too many lines.
type folded struct {
	lines []edge
	// notes are the texts, by state.
	notes map[string][]string
	// dense says that only the main way has its events beside it.
	dense bool
}

func fold(r fsm.GraphRegion) folded {
	f := folded{notes: map[string][]string{}}
	r = families(r)
	drawn, shared := split(r)
	for _, w := range shared {
		f.notes[w.to] = append(f.notes[w.to], fmt.Sprintf("from %d states: %s", w.sources, w.label))
	}
	lines, written := crowded(drawn)
	if f.dense = len(lines) > dense; f.dense {
		for i, e := range lines {
			lines[i].ways, e.ways = mainOnly(e.ways), others(e.ways)
			if len(e.ways) > 0 {
				written = append(written, e)
			}
		}
	}
	f.lines = lines
	for _, e := range written {
		f.notes[e.from] = append(f.notes[e.from], "to "+e.to+": "+strings.Join(e.labels(), ", "))
	}
	return f
}

func mainOnly(ways []fsm.GraphEdge) []fsm.GraphEdge {
	return slices.DeleteFunc(slices.Clone(ways), func(e fsm.GraphEdge) bool { return !e.Main })
}

func others(ways []fsm.GraphEdge) []fsm.GraphEdge {
	return slices.DeleteFunc(slices.Clone(ways), func(e fsm.GraphEdge) bool { return e.Main })
}

// crowded parts the lines into those that are drawn, and those that are written
// into the states where they begin: they lead to a state that many others lead to.
func crowded(r fsm.GraphRegion) (drawn, written []edge) {
	reached := map[string]int{}
	all := edges(r)
	for _, e := range all {
		if !e.main {
			reached[e.to]++
		}
	}
	for _, e := range all {
		if !e.main && reached[e.to] >= crowd {
			written = append(written, e)
		} else {
			drawn = append(drawn, e)
		}
	}
	return drawn, written
}

// way is one event that leads from many states to one.
type way struct {
	label, to string
	sources   int
}

// split takes the ways that lead from many states out of the picture, but for
// those that are on the main way. Ways into final states are left out.
func split(r fsm.GraphRegion) (rest fsm.GraphRegion, shared []way) {
	count := map[string]int{}
	final := finals(r)
	for _, e := range r.Edges {
		if !e.Main {
			count[e.Event+" "+e.To]++
		}
	}
	rest = r
	rest.Edges = nil
	told := map[string]bool{}
	for _, e := range r.Edges {
		key := e.Event + " " + e.To
		switch {
		case final[e.To]:
		case e.Internal || e.Main || count[key] < crowd:
			rest.Edges = append(rest.Edges, e)
		case !told[key]:
			told[key] = true
			shared = append(shared, way{label(e, false), e.To, count[key]})
		}
	}
	return rest, shared
}
