package diagrams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcpproxy/fsm"
)

// Marks are what is lit in a picture of a graph: where its regions are, and what
// happened on the way.
type Marks struct {
	// Now is the state of each region.
	Now map[string]string `json:"now"`
	// Taken are the transitions that were made, with how often.
	Taken []Taken `json:"taken"`
	// Path are the last moves of each region, oldest first, as [WayID]s.
	Path []string `json:"path"`
}

// Taken is a transition that was made.
type Taken struct {
	Region string `json:"region"`
	From   string `json:"from"`
	Event  string `json:"event"`
	To     string `json:"to"`
	Times  int    `json:"times"`
}

// pathLength is how many moves of a region are its path.
const pathLength = 6

// MarksOf are the marks of a journal, oldest entry first. now is where the regions
// are; nil means where the journal leaves them.
func MarksOf(entries []fsm.Entry, now map[string]string) Marks {
	m := Marks{Now: map[string]string{}, Taken: []Taken{}, Path: []string{}}
	paths := map[string][]string{}
	for _, e := range entries {
		if e.Disposition != fsm.Moved {
			continue
		}
		m.Now[e.Region] = e.To
		at := slices.IndexFunc(m.Taken, func(t Taken) bool {
			return t.Region == e.Region && t.From == e.From && t.Event == e.Event && t.To == e.To
		})
		if at < 0 {
			at = len(m.Taken)
			m.Taken = append(m.Taken, Taken{Region: e.Region, From: e.From, Event: e.Event, To: e.To})
		}
		m.Taken[at].Times++
		path := append(paths[e.Region], WayID(e.Region, e.From, e.To))
		paths[e.Region] = path[max(0, len(path)-pathLength):]
	}
	for region, state := range now {
		m.Now[region] = state
	}
	for _, region := range slices.Sorted(maps.Keys(paths)) {
		m.Path = append(m.Path, paths[region]...)
	}
	return m
}

// labels are the events that were taken from one state to another, with how often.
func (m *Marks) labels(region, from, to string) []string {
	var all []string
	for _, t := range m.Taken {
		if t.Region == region && t.From == from && t.To == to {
			all = append(all, fmt.Sprintf("%s %d×", t.Event, t.Times))
		}
	}
	return all
}

// took reports whether a way is one that was taken.
func (m *Marks) took(region, from, to string) bool { return m.labels(region, from, to) != nil }

// onPath reports whether a way is one of the last.
func (m *Marks) onPath(region, from, to string) bool {
	return slices.Contains(m.Path, WayID(region, from, to))
}

// nowColour marks where a region is and how it came there, as on the proxy's page.
const nowColour = "#8250df"

// DOTMarked draws a graph for Graphviz as [DOTLive] does, with the marks: the present
// states and the last moves are lit, and the ways that were taken have their events and
// how often beside them, also where DOTLive draws no line.
func DOTMarked(g fsm.Graph, m Marks) string {
	p := &picture{signals: signalsOf(g), small: 10, marks: &m}
	p.head(g.Name)
	for _, r := range g.Regions {
		if len(g.Regions) > 1 {
			p.open(r)
		}
		p.marked(r)
		if len(g.Regions) > 1 {
			p.line("  }")
		}
	}
	p.line("}")
	return p.String()
}

func (p *picture) marked(r fsm.GraphRegion) {
	for _, s := range r.States {
		if s.Kind != fsm.Final || p.marks.Now[r.Name] == s.Name {
			s.Timers, s.Signals = nil, nil
			p.state(r.Name, s, nil)
		}
	}
	for _, e := range p.marks.lines(r) {
		p.markedWay(r.Name, e)
	}
}

// lines are those that a picture without events draws, and those that were taken.
func (m *Marks) lines(r fsm.GraphRegion) []edge {
	drawn, _ := split(r)
	known, _ := crowded(drawn)
	return slices.DeleteFunc(edges(r), func(e edge) bool {
		taken := m.took(r.Name, e.from, e.to) && (!finals(r)[e.to] || m.Now[r.Name] == e.to)
		return !taken && !slices.ContainsFunc(known, func(l edge) bool { return l.from == e.from && l.to == e.to })
	})
}

func (p *picture) markedWay(region string, e edge) {
	class, style := "way", `color="#d0d7de"`
	switch {
	case p.marks.onPath(region, e.from, e.to):
		class, style = "way taken path", fmt.Sprintf("penwidth=2.6, color=%s", quote(nowColour))
	case p.marks.took(region, e.from, e.to):
		class, style = "way taken", fmt.Sprintf("penwidth=1.4, color=%s", quote(ink))
	}
	var lines []string
	for _, label := range p.marks.labels(region, e.from, e.to) {
		lines = append(lines, "&#160;"+padded(label))
	}
	if lines != nil {
		style += ", label=<" + strings.Join(lines, `<BR ALIGN="LEFT"/>`) + `<BR ALIGN="LEFT"/>>`
	}
	p.line("    %s -> %s [id=%s, class=%s, %s];", quote(region+"."+e.from), quote(region+"."+e.to), quote(WayID(region, e.from, e.to)),
		quote(class), style)
}
