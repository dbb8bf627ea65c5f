package diagrams

import (
	"fmt"
	"strings"

	"mcpproxy/fsm"
)

// Markdown lists the states, events and transitions of all regions, and what
// every other pair of state and event means.
func Markdown(g fsm.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The graph of %s\n\nGenerated from the declaration; `make diagrams` writes it again.\n", cell(g.Name))
	for _, r := range g.Regions {
		fmt.Fprintf(&b, "\n## Region %s\n\n%s\n\n### States\n\n| state | kind | runs | leaves by itself | what it is for |\n"+
			"|---|---|---|---|---|\n", cell(r.Name), cell(r.Doc))
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
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(e.From), cell(e.Event), cell(to), cell(strings.Join(guards, "; ")),
				cell(strings.Join(e.Signals, ", ")), cell(e.Doc))
		}
		b.WriteString("\n### Joined, postponed and ignored\n\n| state | event | is | because |\n|---|---|---|---|\n")
		for _, rule := range r.Rules {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(rule.From), cell(rule.Event), rule.Disposition, cell(rule.Reason))
		}
		b.WriteString("\nEvery other pair is illegal: refused, named, and without effect.\n")
	}
	return b.String()
}

// EventTable lists the events of all regions, each with everything that the graph
// says of it.
func EventTable(g fsm.Graph) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The events of %s\n\nGenerated from the declaration; `make diagrams` writes it again. An *outcome* is what a "+
		"state's own job or timer says, and is\nstale once that state was left; a *happening* comes from elsewhere. Where an event is not "+
		"listed it is refused, for the reason given.\n", cell(g.Name))
	for _, r := range g.Regions {
		fmt.Fprintf(&b, "\n## Region %s\n\n| event | is | what it says | leads | else refused because |\n|---|---|---|---|---|\n", cell(r.Name))
		for _, e := range r.Events {
			is := "happening"
			if e.Bound {
				is = "outcome"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(e.Name), is, cell(e.Doc), strings.Join(leads(r, e.Name), "<br>"), cell(e.Otherwise))
		}
	}
	return b.String()
}

// leads says what the event does: transitions with the same destination and guards
// stand together, and so do states in which it is joined, postponed or ignored.
func leads(r fsm.GraphRegion, event string) []string {
	var order []string
	from := map[string][]string{}
	add := func(state, what string) {
		if from[what] == nil {
			order = append(order, what)
		}
		from[what] = append(from[what], cell(state))
	}
	for _, e := range r.Edges {
		if e.Event != event {
			continue
		}
		what := " → " + cell(e.To)
		if e.Internal {
			what = " stays"
		}
		for _, guard := range e.Guards {
			what += " [" + cell(guard.Name) + "]"
		}
		add(e.From, what)
	}
	for _, rule := range r.Rules {
		if rule.Event == event {
			add(rule.From, " "+string(rule.Disposition)+": "+cell(rule.Reason))
		}
	}
	var all []string
	for _, what := range order {
		all = append(all, strings.Join(from[what], ", ")+what)
	}
	return all
}

func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", ">", "&gt;").Replace(text)
}
