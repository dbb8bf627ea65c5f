package diagrams_test

import (
	"fmt"
	"strings"
	"testing"

	"mcpproxy/diagrams"
	"mcpproxy/fsm"
)

func ExampleMermaid() {
	fmt.Print(diagrams.Mermaid(fsm.GraphRegion{Name: "door", Initial: "Shut", States: []fsm.GraphState{{Name: "Shut", Timers: []fsm.GraphTimer{{Event: "Knock"}}}, {Name: "Open"}},
		Edges: []fsm.GraphEdge{{From: "Shut", Event: "Push", To: "Open", Guards: []fsm.GraphGuard{{Name: "unlocked"}}}, {From: "Shut", Event: "Knock", To: "Open"}}}))
	// Output:
	// stateDiagram-v2
	//   [*] --> Shut
	//   Shut --> Open : Push [unlocked], timer Knock
}

func TestTextsCannotBreakOut(t *testing.T) {
	r := fsm.GraphRegion{Name: "x\"];evil", States: []fsm.GraphState{{Name: "a|b", Doc: "<script>\n\"quoted\\"}}}
	dot := diagrams.DOT(r)
	if !strings.Contains(dot, `digraph "x\"];evil" {`) || !strings.Contains(dot, `<script>\n\"quoted\\"`) {
		t.Error(dot)
	}
	if table := diagrams.Markdown(fsm.Graph{Regions: []fsm.GraphRegion{r}}); !strings.Contains(table, `a\|b`) || strings.Contains(table, "<script>") {
		t.Error(table)
	}
}
