package diagrams

import (
	"fmt"
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// Mermaid draws one region as a Mermaid state diagram, folded as [DOT] folds it.
func Mermaid(r fsm.GraphRegion) string {
	m := &mermaidPicture{indent: "  "}
	m.line("stateDiagram-v2")
	folded := fold(r)
	m.region(r, folded.lines, folded.notes, func(e edge) []string { return e.labels() })
	m.kinds(r)
	return m.String()
}

// MermaidOverview draws all regions of a graph in little room, as [DOTOverview] does.
func MermaidOverview(g fsm.Graph) string {
	m := &mermaidPicture{indent: "    ", prefixed: true}
	m.line("stateDiagram-v2")
	for _, r := range g.Regions {
		drawn, _ := split(r)
		lines, _ := crowded(drawn)
		m.within(r, lines, func(e edge) []string { e.ways = mainOnly(e.ways); return e.labels() })
	}
	for _, r := range g.Regions {
		m.kinds(r)
	}
	return m.String()
}

// MermaidMarked draws a graph with the marks, as [DOTMarked] does.
func MermaidMarked(g fsm.Graph, marks Marks) string {
	m := &mermaidPicture{indent: "    ", prefixed: true}
	m.line("stateDiagram-v2")
	for _, r := range g.Regions {
		m.within(r, marks.lines(r), func(e edge) []string { return marks.labels(r.Name, e.from, e.to) })
	}
	for _, r := range g.Regions {
		m.kinds(r)
	}
	m.lit(g, &marks)
	return m.String()
}

// mermaidPicture is the text so far.
type mermaidPicture struct {
	strings.Builder
	indent string
	// prefixed says that ids have the region's name before them: two regions may have
	// states of the same name.
	prefixed bool
}

func (m *mermaidPicture) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *mermaidPicture) id(region, state string) string {
	if m.prefixed {
		return region + "_" + state
	}
	return state
}

// within draws a region in a frame of its own.
func (m *mermaidPicture) within(r fsm.GraphRegion, lines []edge, labels func(edge) []string) {
	m.line("  state %s {", r.Name)
	m.region(r, lines, nil, labels)
	m.line("  }")
}

// boxes puts the states of a composite state, and the boxes in it, into a box.
func (m *mermaidPicture) boxes(r fsm.GraphRegion, within, indent string) {
	for _, c := range r.Composites {
		switch {
		case c.Within != within:
		case !isBox(r, c.Name):
			m.boxes(r, c.Name, indent)
		default:
			m.line("%sstate %s {", indent, m.id(r.Name, c.Name))
			for _, s := range r.States {
				if s.Within == c.Name && s.Kind != fsm.Final {
					m.line("%s  %s", indent, m.id(r.Name, s.Name))
				}
			}
			m.boxes(r, c.Name, indent+"  ")
			m.line("%s}", indent)
		}
	}
}

func (m *mermaidPicture) region(r fsm.GraphRegion, lines []edge, notes map[string][]string, labels func(edge) []string) {
	m.line("%s[*] --> %s", m.indent, m.id(r.Name, r.Initial))
	m.boxes(r, "", m.indent)
	for _, s := range drawnStates(r, lines) {
		id := m.id(r.Name, s.Name)
		if m.prefixed || len(notes[s.Name]) > 0 {
			m.line("%s%s : %s", m.indent, id, inBox(s.Name))
		}
		for _, note := range notes[s.Name] {
			for _, text := range broken(strings.Replace(note, ": ", " by ", 1)) {
				m.line("%s%s : %s", m.indent, id, inBox(text))
			}
		}
	}
	for _, c := range r.Composites {
		for _, note := range notes[c.Name] {
			m.line("%snote right of %s : %s", m.indent, m.id(r.Name, c.Name), mermaid(strings.Replace(note, ": ", " by ", 1)))
		}
	}
	for _, e := range lines {
		text := ""
		if all := labels(e); len(all) > 0 {
			text = " : " + mermaid(strings.Join(all, ", "))
		}
		m.line("%s%s --> %s%s", m.indent, m.id(r.Name, e.from), m.id(r.Name, e.to), text)
	}
}

// drawnStates are those of a picture: a final state is one only where a line leads there.
func drawnStates(r fsm.GraphRegion, lines []edge) []fsm.GraphState {
	return slices.DeleteFunc(slices.Clone(r.States), func(s fsm.GraphState) bool {
		return s.Kind == fsm.Final && !slices.ContainsFunc(lines, func(e edge) bool { return e.to == s.Name })
	})
}

// kinds colours the states as every picture does.
func (m *mermaidPicture) kinds(r fsm.GraphRegion) {
	for _, kind := range []fsm.Kind{fsm.Parked, fsm.Waiting, fsm.Working, fsm.Serving} {
		var of []string
		for _, s := range r.States {
			if s.Kind == kind {
				of = append(of, m.id(r.Name, s.Name))
			}
		}
		if len(of) > 0 {
			fill, border, width := look(kind)
			m.line("  classDef %s fill:%s,stroke:%s,stroke-width:%dpx,color:%s", kind, fill, border, width, ink)
			m.line("  class %s %s", strings.Join(of, ","), kind)
		}
	}
}

// lit lights the present states, and those on the path.
func (m *mermaidPicture) lit(g fsm.Graph, marks *Marks) {
	m.line("  classDef now fill:%s,color:#ffffff,stroke:%s", nowColour, nowColour)
	m.line("  classDef path stroke:%s,stroke-width:3px", nowColour)
	for _, r := range g.Regions {
		for _, s := range r.States {
			onPath := slices.ContainsFunc(edges(r), func(e edge) bool {
				return marks.onPath(r.Name, e.from, e.to) && (e.from == s.Name || e.to == s.Name)
			})
			switch {
			case marks.Now[r.Name] == s.Name:
				m.line("  class %s now", m.id(r.Name, s.Name))
			case onPath:
				m.line("  class %s path", m.id(r.Name, s.Name))
			}
		}
	}
}

// inBox makes a text of a state's box, where Mermaid shows entities as they are written.
func inBox(text string) string {
	return strings.NewReplacer(":", " ", ";", ",", "\n", " ", "<", " ", ">", " ").Replace(text)
}

// mermaid makes a text of a line.
func mermaid(text string) string {
	return strings.NewReplacer(":", "#58;", ";", "#59;", "\n", " ", "<", "#lt;", ">", "#gt;").Replace(text)
}
