package diagrams

import (
	"encoding/xml"
	"fmt"
	"strings"

	"mcpproxy/fsm"
)

// SCXML writes a graph as a state chart of the W3C (SCXML 1.0): regions are parallel,
// composite states nested. Guards are calls of guard(name) in the data model; a timer is an
// event that is sent when delay(name) is over, and cancelled where its state is left; a
// signal is raised; the name of a state's job is in a comment.
func SCXML(g fsm.Graph) string {
	s := &scxml{}
	s.line(0, `<?xml version="1.0" encoding="UTF-8"?>`)
	s.line(0, `<scxml xmlns="http://www.w3.org/2005/07/scxml" version="1.0" datamodel="ecmascript" name=%s>`, attribute(g.Name))
	s.line(1, `<parallel id=%s>`, attribute(g.Name))
	for _, r := range g.Regions {
		s.node(2, r.Name, nest(r))
	}
	s.line(1, `</parallel>`)
	s.line(0, `</scxml>`)
	return s.String()
}

type scxml struct{ strings.Builder }

func (s *scxml) line(depth int, format string, args ...any) {
	fmt.Fprintf(s, strings.Repeat("  ", depth)+format+"\n", args...)
}

func (s *scxml) node(depth int, region string, n *node) {
	if n.state != nil && n.state.Kind == fsm.Final {
		s.line(depth, `<final id=%s/>`, attribute(n.id))
		return
	}
	if n.initial != nil {
		s.line(depth, `<state id=%s initial=%s>`, attribute(n.id), attribute(n.initial.id))
	} else {
		s.line(depth, `<state id=%s>`, attribute(n.id))
	}
	s.comment(depth+1, n.doc)
	if n.state != nil {
		s.entry(depth+1, n)
	}
	for i := range n.rows {
		s.row(depth+1, region, &n.rows[i])
	}
	for _, inner := range n.inner {
		s.node(depth+1, region, inner)
	}
	s.line(depth, `</state>`)
}

// entry writes what a state does when it is entered and left.
func (s *scxml) entry(depth int, n *node) {
	if len(n.state.Signals)+len(n.state.Timers) > 0 {
		s.line(depth, `<onentry>`)
		for _, event := range n.state.Signals {
			s.line(depth+1, `<raise event=%s/>`, attribute(event))
		}
		for _, timer := range n.state.Timers {
			s.line(depth+1, `<send event=%s id=%s delayexpr=%s/>`, attribute(timer.Event), attribute(n.id+"-"+timer.Event),
				attribute(fmt.Sprintf("delay('%s')", timer.Event)))
		}
		s.line(depth, `</onentry>`)
	}
	if len(n.state.Timers) > 0 {
		s.line(depth, `<onexit>`)
		for _, timer := range n.state.Timers {
			s.line(depth+1, `<cancel sendid=%s/>`, attribute(n.id+"-"+timer.Event))
		}
		s.line(depth, `</onexit>`)
	}
	if n.state.Job != "" {
		s.comment(depth, "job: "+n.state.Job)
	}
}

func (s *scxml) row(depth int, region string, row *fsm.GraphEdge) {
	text := `<transition event=` + attribute(row.Event)
	if name := guardOf(row); name != "" {
		text += ` cond=` + attribute(fmt.Sprintf("guard('%s')", name))
	}
	if !row.Internal {
		text += ` target=` + attribute(nodeID(region, row.To))
	}
	if len(row.Signals) == 0 {
		s.line(depth, "%s/>", text)
		return
	}
	s.line(depth, "%s>", text)
	for _, event := range row.Signals {
		s.line(depth+1, `<raise event=%s/>`, attribute(event))
	}
	s.line(depth, `</transition>`)
}

// comment writes a text where nothing reads it but a user.
func (s *scxml) comment(depth int, text string) {
	s.line(depth, "<!-- %s -->", strings.ReplaceAll(escape(text), "--", "- -"))
}

// attribute quotes a value.
func attribute(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes all
	return `"` + b.String() + `"`
}
