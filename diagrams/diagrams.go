// Package diagrams draws declared graphs: DOT, Mermaid and Markdown from the same
// [fsm.Graph] that the machines run on.
//
// It promises that the same graph gives the same bytes, and that no text of the
// graph can break out of its place in the output. It lays nothing out; that is
// package layout, so that programs which only draw text carry no layout engine.
package diagrams

import (
	"fmt"
	"strings"

	"mcpproxy/fsm"
)

// edge is every way between two states, as one line of the picture.
type edge struct {
	from, to    string
	labels      []string
	main, timed bool
}

// edges joins the ways between the same two states; internal ones are left to the table.
func edges(r fsm.GraphRegion) []edge {
	timers := map[string]bool{}
	for _, state := range r.States {
		for _, timer := range state.Timers {
			timers[state.Name+" "+timer.Event] = true
		}
	}
	var all []edge
	at := map[string]int{}
	for _, e := range r.Edges {
		if e.Internal {
			continue
		}
		key := e.From + " " + e.To
		if _, there := at[key]; !there {
			at[key] = len(all)
			all = append(all, edge{from: e.From, to: e.To, timed: true})
		}
		joined := &all[at[key]]
		joined.labels = append(joined.labels, label(e, timers[e.From+" "+e.Event]))
		joined.main = joined.main || e.Main
		joined.timed = joined.timed && timers[e.From+" "+e.Event]
	}
	return all
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

// look is how a kind of state is drawn.
func look(kind fsm.Kind) (shape, fill string) {
	switch kind {
	case fsm.Serving:
		return "box", "#c8e6c9"
	case fsm.Working:
		return "box", "#bbdefb"
	case fsm.Waiting:
		return "box", "#fff3c4"
	case fsm.Final:
		return "doublecircle", "#eeeeee"
	}
	return "box", "#e0e0e0"
}

// DOT draws one region for Graphviz. Ways into final states and shutdowns are
// left out: they lead from everywhere.
func DOT(r fsm.GraphRegion) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n", quote(r.Name))
	b.WriteString("  graph [rankdir=TB, bgcolor=white, fontname=\"Helvetica\", nodesep=0.35, ranksep=0.55, splines=true, pad=0.3];\n")
	b.WriteString("  node [fontname=\"Helvetica\", fontsize=13, style=\"filled,rounded\", penwidth=1.2, margin=\"0.2,0.08\"];\n")
	b.WriteString("  edge [fontname=\"Helvetica\", fontsize=10, color=\"#555555\", fontcolor=\"#333333\"];\n")
	final := map[string]bool{}
	for _, s := range r.States {
		if final[s.Name] = s.Kind == fsm.Final; final[s.Name] {
			continue
		}
		shape, fill := look(s.Kind)
		text := s.Name + "\n" + string(s.Kind)
		if s.Job != "" {
			text += ": " + s.Job
		}
		fmt.Fprintf(&b, "  %s [label=%s, shape=%s, fillcolor=%s, tooltip=%s];\n", quote(s.Name), quote(text), shape, quote(fill), quote(s.Doc))
	}
	drawn, shared := split(r)
	for i, way := range shared {
		node := quote(fmt.Sprintf("from many %d", i))
		fmt.Fprintf(&b, "  %s [label=%s, shape=plaintext, style=\"\", fontsize=10];\n", node, quote(fmt.Sprintf("from %d states", way.sources)))
		fmt.Fprintf(&b, "  %s -> %s [label=%s, style=bold];\n", node, quote(way.to), quote(padded(way.label)))
	}
	for _, e := range edges(drawn) {
		if final[e.to] {
			continue
		}
		style := ""
		if e.main {
			style = ", penwidth=2.6, color=\"#1b5e20\", weight=6"
		} else if e.timed {
			style = ", style=dashed"
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%s%s];\n", quote(e.from), quote(e.to), quote(padded(e.labels...)), style)
	}
	fmt.Fprintf(&b, "  label=%s; labelloc=b; fontsize=11; fontcolor=\"#333333\";\n", quote(legend))
	b.WriteString("}\n")
	return b.String()
}

// padded is a label that keeps clear of its line: viewers' fonts are wider than
// the one that the picture is laid out with.
func padded(lines ...string) string { return "   " + strings.Join(lines, "   \n   ") + "   " }

// legend explains the colours and lines.
const legend = `parked: nothing runs and nothing is sent   -   waiting: a timer runs   -   working: a job runs, with a deadline   -   serving: requests flow
green: the main way   -   dashed: by a timer alone   -   [guard]: may refuse   -   shutdowns and internal transitions are in the table`

// many is from how many states a way must lead to be drawn once, from none of them.
const many = 5

// way is one event that leads from many states to one.
type way struct {
	label, to string
	sources   int
}

// split takes the ways that lead from many states out of the picture.
func split(r fsm.GraphRegion) (rest fsm.GraphRegion, shared []way) {
	count := map[string]int{}
	final := map[string]bool{}
	for _, s := range r.States {
		final[s.Name] = s.Kind == fsm.Final
	}
	for _, e := range r.Edges {
		count[e.Event+" "+e.To]++
	}
	rest = r
	rest.Edges = nil
	told := map[string]bool{}
	for _, e := range r.Edges {
		key := e.Event + " " + e.To
		switch {
		case e.Internal || count[key] < many || final[e.To]:
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

// Mermaid draws one region as a Mermaid state diagram.
func Mermaid(r fsm.GraphRegion) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "  [*] --> %s\n", r.Initial)
	for _, e := range edges(r) {
		fmt.Fprintf(&b, "  %s --> %s : %s\n", e.from, e.to, mermaid(strings.Join(e.labels, ", ")))
	}
	for _, s := range r.States {
		if s.Kind == fsm.Final {
			fmt.Fprintf(&b, "  %s --> [*]\n", s.Name)
		}
	}
	return b.String()
}

func mermaid(text string) string {
	return strings.NewReplacer(":", "#58;", ";", "#59;", "\n", " ", "<", "#lt;", ">", "#gt;").Replace(text)
}

// Markdown lists the states, events and transitions of all regions, and what
// every other pair of state and event means.
func Markdown(g fsm.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The graph of %s\n\nGenerated from the declaration; `make diagrams` writes it anew.\n", cell(g.Name))
	for _, r := range g.Regions {
		fmt.Fprintf(&b, "\n## Region %s\n\n%s\n\n### States\n\n| state | kind | runs | leaves by itself | what it is for |\n|---|---|---|---|---|\n", cell(r.Name), cell(r.Doc))
		for _, s := range r.States {
			var timers []string
			for _, timer := range s.Timers {
				timers = append(timers, timer.Event+" ("+timer.Doc+")")
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(s.Name), s.Kind, cell(s.Job), cell(strings.Join(timers, ", ")), cell(s.Doc))
		}
		b.WriteString("\n### Events\n\n| event | what it says | refused elsewhere because |\n|---|---|---|\n")
		for _, e := range r.Events {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", cell(e.Name), cell(e.Doc), cell(e.Otherwise))
		}
		b.WriteString("\n### Transitions\n\n| from | event | to | guards | raises | note |\n|---|---|---|---|---|---|\n")
		for _, e := range r.Edges {
			var guards []string
			for _, guard := range e.Guards {
				guards = append(guards, guard.Name+": "+guard.Doc)
			}
			to := e.To
			if e.Internal {
				to = "stays"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(e.From), cell(e.Event), cell(to), cell(strings.Join(guards, "; ")), cell(strings.Join(e.Signals, ", ")), cell(e.Doc))
		}
		b.WriteString("\n### Joined, postponed and ignored\n\n| state | event | is | because |\n|---|---|---|---|\n")
		for _, rule := range r.Rules {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(rule.From), cell(rule.Event), rule.Disposition, cell(rule.Reason))
		}
		b.WriteString("\nEvery other pair is illegal: refused, named, and without effect.\n")
	}
	return b.String()
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;").Replace(text)
}
