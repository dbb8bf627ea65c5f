package diagrams

import (
	"fmt"
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// DOT draws one region for Graphviz. Ways into final states are left out: they
// lead from everywhere.
func DOT(r fsm.GraphRegion) string {
	return draw(fsm.Graph{Name: r.Name, Regions: []fsm.GraphRegion{r}}, false)
}

// DOTConcern draws a part of a graph for Graphviz, with all its regions and with
// what they say to each other. The error is [Select]'s.
func DOTConcern(g fsm.Graph, c Concern) (string, error) {
	part, err := Select(g, c)
	if err != nil {
		return "", err
	}
	return draw(part, true), nil
}

// DOTOverview draws all regions of a graph for Graphviz in little room: the names of events
// stand on the main way alone, and all other ways between two composite states, or a state
// and one, are one line between their boxes.
func DOTOverview(g fsm.Graph) string {
	p := &picture{signals: signalsOf(g), small: 11, boxed: true}
	p.head(g.Name)
	for _, r := range g.Regions {
		p.open(r)
		p.overview(r)
		p.line("  }")
	}
	p.line("}")
	return p.String()
}

// DOTFolded draws one region of a graph as DOTOverview does, for a page's width. In a region
// of many states the composite states that stand in others are one box each, with the names
// of their states.
func DOTFolded(g fsm.Graph, r fsm.GraphRegion) string {
	p := &picture{signals: signalsOf(g), small: 12, boxed: true, folded: foldable(r)}
	p.head(r.Name)
	p.line("  edge [fontsize=12]; graph [nodesep=0.15];")
	p.overview(r)
	p.line("}")
	return p.String()
}

func (p *picture) overview(r fsm.GraphRegion) {
	p.compact(r)
	for _, e := range p.lifted(r) {
		p.way(r, e)
	}
}

// DOTLive draws one region for Graphviz as a page needs it that lights what happens:
// small states, lines without events, and none for the ways that [DOT] writes into
// the states; the page draws those when they are taken.
func DOTLive(r fsm.GraphRegion) string {
	p := &picture{small: 10}
	p.head(r.Name)
	p.compact(r)
	drawn, _ := split(r)
	lines, _ := crowded(drawn)
	for _, e := range lines {
		e.ways = nil
		p.way(r, e)
	}
	p.line("}")
	return p.String()
}

// compact draws a region's states in little room.
func (p *picture) compact(r fsm.GraphRegion) {
	p.boxes(r, func(s fsm.GraphState) {
		s.Timers, s.Signals = nil, nil
		p.state(r.Name, s, nil)
	})
}

func draw(g fsm.Graph, concern bool) string {
	p := &picture{signals: signalsOf(g), small: 10, boxed: !concern}
	p.head(g.Name)
	several := len(g.Regions) > 1
	for _, r := range g.Regions {
		if several {
			p.open(r)
		}
		p.region(r, concern)
		if several {
			p.line("  }")
		}
	}
	p.line("}")
	return p.String()
}

type picture struct {
	strings.Builder
	// signals are the events that one region raises in the other.
	signals map[string]bool
	// small is the size of the text below a state's name, in points.
	small float64
	// marks light what happened; nil for none.
	marks *Marks
	// boxed says that composite states are boxes round their states.
	boxed bool
	// notes are the texts in the states and boxes of the region.
	notes map[string][]string
	// folded are the composite states of the region that are one box without their states.
	folded []string
}

func signalsOf(g fsm.Graph) map[string]bool {
	raised := map[string]bool{}
	for _, r := range g.Regions {
		for _, s := range r.States {
			for _, event := range s.Signals {
				raised[event] = true
			}
		}
		for _, e := range r.Edges {
			for _, event := range e.Signals {
				raised[event] = true
			}
		}
	}
	return raised
}

func (p *picture) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// font is one whose measures Graphviz has.
const font = "Helvetica"

func (p *picture) head(name string) {
	p.line("digraph %s {", quote(name))
	p.line("  graph [rankdir=TB, compound=true, bgcolor=white, fontname=%s, fontsize=13, nodesep=0.2, ranksep=0.4, splines=true, pad=0.15];",
		quote(font))
	p.line("  node [shape=plain, fontname=%s, fontcolor=%s];", quote(font), quote(ink))
	p.line("  edge [fontname=%s, fontsize=10.5, color=%s, fontcolor=%s, arrowsize=0.7];", quote(font), quote(lineColour), quote(ink))
}

func (p *picture) open(r fsm.GraphRegion) {
	p.line("  subgraph %s {", quote("cluster_"+r.Name))
	p.line("    class=region; style=rounded; color=%s; fontcolor=%s; labeljust=l; label=%s;", quote(lineColour), quote(quiet), quote(r.Name))
}

// region draws the states and ways of one region.
func (p *picture) region(r fsm.GraphRegion, concern bool) {
	notes := map[string][]string{}
	note := func(state, text string) { notes[state] = append(notes[state], text) }
	lines := edges(r)
	if concern {
		for _, e := range r.Edges {
			if e.Internal {
				note(e.From, "stays: "+label(e, false))
			}
		}
		for _, rule := range r.Rules {
			note(rule.From, string(rule.Disposition)+": "+rule.Event)
		}
	} else {
		folded := fold(r)
		lines, notes = folded.lines, folded.notes
		if folded.dense {
			p.small = 12
		}
	}
	p.notes = notes
	p.boxes(r, func(s fsm.GraphState) { p.state(r.Name, s, notes[s.Name]) })
	for _, e := range lines {
		p.way(r, e)
	}
}

// Colours that all pictures share; package layout has their counterparts in the dark.
const (
	ink        = "#1f2328"
	quiet      = "#57606a"
	lineColour = "#6e7781"
	mainColour = "#1a7f38"
	talkColour = "#8250df"
)

func (p *picture) way(r fsm.GraphRegion, e edge) {
	class, style := "way", ""
	switch {
	case e.main:
		class, style = "way main", fmt.Sprintf(", penwidth=2.2, color=%s, weight=8", quote(mainColour))
	case e.timed:
		class, style = "way timed", ", style=dashed"
	}
	var lines []string
	for _, way := range e.ways {
		colour := ink
		if p.signals[way.Event] {
			colour = talkColour
		}
		for _, line := range wayLines(way, e.timers[way.Event]) {
			lines = append(lines, fmt.Sprintf(`<FONT COLOR="%s">&#160;%s</FONT>`, colour, padded(line)))
		}
	}
	if lines != nil {
		style += ", label=<" + strings.Join(lines, "<BR ALIGN=\"LEFT\"/>") + "<BR ALIGN=\"LEFT\"/>>"
	}
	from, to := e.from, e.to
	if inner := members(r, from); len(inner) > 0 && !slices.Contains(p.folded, from) {
		style += ", ltail=" + quote("cluster_"+r.Name+"."+from)
		from = p.shown(r, inner[len(inner)/2])
	}
	if inner := members(r, to); len(inner) > 0 && !slices.Contains(p.folded, to) {
		style += ", lhead=" + quote("cluster_"+r.Name+"."+to)
		to = p.shown(r, inner[len(inner)/2])
	}
	p.line("    %s -> %s [id=%s, class=%s%s];", quote(r.Name+"."+from), quote(r.Name+"."+to), quote(WayID(r.Name, e.from, e.to)),
		quote(class), style)
}

// wayLines are an event and its guards, one a line.
func wayLines(e fsm.GraphEdge, timed bool) []string {
	name := e.Event
	if timed {
		name = "timer " + name
	}
	lines := []string{name}
	for _, guard := range e.Guards {
		if last := len(lines) - 1; last > 0 || len(lines[last])+len(guard.Name) < 20 {
			lines[last] += " [" + guard.Name + "]"
			continue
		}
		lines = append(lines, "["+guard.Name+"]")
	}
	return lines
}

// quote makes a DOT string; a newline becomes a centred line break.
func quote(text string) string {
	text = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "").Replace(text)
	return `"` + text + `"`
}
