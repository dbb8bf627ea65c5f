package diagrams

import (
	"fmt"
	"strings"

	"mcpproxy/fsm"
)

// Mermaid draws one region as a Mermaid state diagram.
func Mermaid(r fsm.GraphRegion) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "  [*] --> %s\n", r.Initial)
	for _, e := range edges(r) {
		fmt.Fprintf(&b, "  %s --> %s : %s\n", e.from, e.to, mermaid(strings.Join(e.labels(), ", ")))
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
