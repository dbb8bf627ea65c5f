package diagrams

import (
	"fmt"
	"html"
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

// lineWidth is where a line of a state's box is broken, in characters.
const lineWidth = 32

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

// DOTOverview draws all regions of a graph for Graphviz in little room: the names
// of events stand on the main way alone, and ways that DOT would write into the
// states are left out.
func DOTOverview(g fsm.Graph) string {
	p := &picture{signals: signalsOf(g), small: 10}
	p.head(g.Name)
	for _, r := range g.Regions {
		p.open(r)
		p.compact(r, func(e fsm.GraphEdge) bool { return e.Main })
		p.line("  }")
	}
	p.line("}")
	return p.String()
}

// DOTLive draws one region for Graphviz as a page needs it that lights what happens:
// small states, lines without events, and none for the ways that [DOT] writes into
// the states; the page draws those when they are taken.
func DOTLive(r fsm.GraphRegion) string {
	p := &picture{small: 10}
	p.head(r.Name)
	p.compact(r, func(fsm.GraphEdge) bool { return false })
	p.line("}")
	return p.String()
}

// compact draws a region in little room; named says which events stand beside lines.
func (p *picture) compact(r fsm.GraphRegion, named func(fsm.GraphEdge) bool) {
	drawn, _ := split(r)
	lines, _ := crowded(drawn)
	for _, s := range r.States {
		if s.Kind != fsm.Final {
			s.Timers, s.Signals = nil, nil
			p.state(r.Name, s, nil)
		}
	}
	for _, e := range lines {
		e.ways = slices.DeleteFunc(slices.Clone(e.ways), func(e fsm.GraphEdge) bool { return !named(e) })
		p.way(r.Name, e)
	}
}

func mainOnly(ways []fsm.GraphEdge) []fsm.GraphEdge {
	return slices.DeleteFunc(slices.Clone(ways), func(e fsm.GraphEdge) bool { return !e.Main })
}

func others(ways []fsm.GraphEdge) []fsm.GraphEdge {
	return slices.DeleteFunc(slices.Clone(ways), func(e fsm.GraphEdge) bool { return e.Main })
}

func draw(g fsm.Graph, concern bool) string {
	p := &picture{signals: signalsOf(g), small: 10}
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
	p.line("  graph [rankdir=TB, bgcolor=white, fontname=%s, fontsize=13, nodesep=0.2, ranksep=0.4, splines=true, pad=0.15];", quote(font))
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
		drawn, shared := split(r)
		for _, w := range shared {
			note(w.to, fmt.Sprintf("from %d states: %s", w.sources, w.label))
		}
		var written []edge
		lines, written = crowded(drawn)
		if len(lines) > dense {
			p.small = 12
			for i, e := range lines {
				lines[i].ways, e.ways = mainOnly(e.ways), others(e.ways)
				if len(e.ways) > 0 {
					written = append(written, e)
				}
			}
		}
		for _, e := range written {
			note(e.from, "to "+e.to+": "+strings.Join(e.labels(), ", "))
		}
	}
	linked := map[string]bool{}
	for _, e := range lines {
		linked[e.from], linked[e.to] = true, true
	}
	for _, s := range r.States {
		if s.Kind == fsm.Final {
			continue
		}
		p.state(r.Name, s, notes[s.Name])
		if !linked[s.Name] && !concern {
			p.line("    {rank=sink; %s}", quote(r.Name+"."+s.Name))
		}
	}
	for _, e := range lines {
		p.way(r.Name, e)
	}
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

// look is how a kind of state is drawn.
func look(kind fsm.Kind) (fill, border string, width int) {
	switch kind {
	case fsm.Serving:
		return "#dafbe1", "#1a7f37", 3
	case fsm.Working:
		return "#ddf4ff", "#0969da", 2
	case fsm.Waiting:
		return "#fff8c5", "#bf8700", 1
	}
	return "#eaeef2", "#8c959f", 1
}

// Colours that all pictures share; package layout has their counterparts in the dark.
const (
	ink        = "#1f2328"
	quiet      = "#57606a"
	lineColour = "#6e7781"
	mainColour = "#1a7f38"
	talkColour = "#8250df"
)

// state draws one state with what runs in it, its timers, and the notes.
func (p *picture) state(region string, s fsm.GraphState, notes []string) {
	fill, border, width := look(s.Kind)
	class := "state " + string(s.Kind)
	if p.marks != nil && p.marks.Now[region] == s.Name {
		class, border, width = class+" now", nowColour, 6
	}
	kind := string(s.Kind)
	if s.Job != "" {
		kind += ": " + s.Job
	}
	var rows strings.Builder
	row := func(size float64, colour, text string) {
		fmt.Fprintf(&rows, `<TR><TD ALIGN="LEFT" BALIGN="LEFT"><FONT POINT-SIZE="%g" COLOR="%s">%s</FONT></TD></TR>`, size, colour, text)
	}
	row(p.small+3, ink, "<B>"+escape(s.Name)+"&#160;&#160;</B>")
	row(p.small+0.5, quiet, padded(kind))
	texts := timerNotes(s)
	if len(s.Signals) > 0 {
		texts = append(texts, "says "+strings.Join(s.Signals, ", "))
	}
	var small []string
	for _, text := range append(texts, notes...) {
		small = append(small, wrapped(text)...)
	}
	if len(small) > 0 {
		row(p.small, ink, strings.Join(small, "<BR/>"))
	}
	p.line("    %s [id=%s, class=%s, tooltip=%s, label=<<TABLE BORDER=\"%d\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\" STYLE=\"ROUNDED\" BGCOLOR=%s COLOR=%s TITLE=%s>%s</TABLE>>];",
		quote(region+"."+s.Name), quote(StateID(region, s.Name)), quote(class), quote(s.Doc), width, quote(fill), quote(border), `"`+escape(s.Doc)+`"`, rows.String())
}

// timerNotes are a state's timers; those that strike at the same time stand together.
func timerNotes(s fsm.GraphState) []string {
	var times []string
	events := map[string][]string{}
	for _, timer := range s.Timers {
		time, _, _ := strings.Cut(timer.Doc, ",")
		if events[time] == nil {
			times = append(times, time)
		}
		events[time] = append(events[time], timer.Event)
	}
	var all []string
	for _, time := range times {
		all = append(all, "timer "+time+": "+strings.Join(events[time], ", "))
	}
	return all
}

// wrapped breaks a text into lines of a label.
func wrapped(text string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > lineWidth {
			lines = append(lines, padded(line))
			line = "   "
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, padded(line))
}

// padded is a line with room after it: viewers' fonts are wider than the one that
// the picture is laid out with.
func padded(line string) string {
	return escape(line) + strings.Repeat("&#160;", 1+len(line)/10)
}

func (p *picture) way(region string, e edge) {
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
	p.line("    %s -> %s [id=%s, class=%s%s];", quote(region+"."+e.from), quote(region+"."+e.to), quote(WayID(region, e.from, e.to)), quote(class), style)
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

// quote makes a DOT string; a newline becomes a centred line break.
func quote(text string) string {
	text = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", "").Replace(text)
	return `"` + text + `"`
}

// escape makes text of an HTML-like label.
func escape(text string) string {
	return html.EscapeString(strings.NewReplacer("\n", " ", "\r", "").Replace(text))
}
