package diagrams

import (
	"fmt"
	"html"
	"strings"

	"mcpproxy/fsm"
)

// lineWidth is where a line of a state's box is broken, in characters.
const lineWidth = 32

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
	p.line("    %s [id=%s, class=%s, tooltip=%s, label=<<TABLE BORDER=\"%d\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\" "+
		"STYLE=\"ROUNDED\" BGCOLOR=%s COLOR=%s TITLE=%s>%s</TABLE>>];",
		quote(region+"."+s.Name), quote(StateID(region, s.Name)), quote(class), quote(s.Doc), width,
		quote(fill), quote(border), `"`+escape(s.Doc)+`"`, rows.String())
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
	for _, line := range broken(text) {
		lines = append(lines, padded(line))
	}
	return lines
}

// broken breaks a text between words; lines that go on begin further in.
func broken(text string) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > lineWidth {
			lines = append(lines, line)
			line = "   "
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// padded is a line with room after it: viewers' fonts are wider than the one that
// the picture is laid out with.
func padded(line string) string {
	return escape(line) + strings.Repeat("&#160;", 1+len(line)/10)
}

// escape makes text of an HTML-like label.
func escape(text string) string {
	return html.EscapeString(strings.NewReplacer("\n", " ", "\r", "").Replace(text))
}
