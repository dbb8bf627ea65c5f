package verify

import (
	"fmt"
	"strings"
)

// DOT draws the trace for Graphviz, from the top to the bottom: a box for each
// situation with the states of both regions, a line for each action between them.
func (c *Counterexample) DOT() string {
	var b strings.Builder
	b.WriteString("digraph \"counterexample\" {\n")
	b.WriteString("  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eaeef2\", color=\"#8c959f\", fontname=\"Helvetica\"];\n")
	b.WriteString("  edge [fontname=\"Helvetica\", fontsize=11, color=\"#6e7781\"];\n")
	for i, s := range c.Trace {
		last := ""
		if i == len(c.Trace)-1 {
			last = `, fillcolor="#ffebe9", color="#cf222e"`
		}
		fmt.Fprintf(&b, "  %d [label=%q%s];\n", i, s.Connection+"\n"+s.Credential, last)
	}
	b.WriteString("  start [shape=point];\n")
	for i, s := range c.Trace {
		from := "start"
		if i > 0 {
			from = fmt.Sprint(i - 1)
		}
		fmt.Fprintf(&b, "  %s -> %d [label=%q];\n", from, i, " "+s.Action)
	}
	fmt.Fprintf(&b, "  why [shape=note, fillcolor=\"#ffebe9\", color=\"#cf222e\", label=%q];\n", c.Invariant+"\n"+c.Why)
	fmt.Fprintf(&b, "  %d -> why [style=dashed, arrowhead=none];\n}\n", len(c.Trace)-1)
	return b.String()
}
