package diagrams_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mcpproxy/diagrams"
	"mcpproxy/fsm"
)

func ExampleMermaid() {
	fmt.Print(diagrams.Mermaid(fsm.GraphRegion{Name: "door", Initial: "Shut",
		States: []fsm.GraphState{{Name: "Shut", Timers: []fsm.GraphTimer{{Event: "Knock"}}}, {Name: "Open"}},
		Edges: []fsm.GraphEdge{{From: "Shut", Event: "Push", To: "Open", Guards: []fsm.GraphGuard{{Name: "unlocked"}}},
			{From: "Shut", Event: "Knock", To: "Open"}}}))
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

func TestAConcernNamesRowsOfTheGraph(t *testing.T) {
	g := fsm.Graph{Regions: []fsm.GraphRegion{{Name: "door", States: []fsm.GraphState{{Name: "Shut"}, {Name: "Open"}, {Name: "Torn"}},
		Edges: []fsm.GraphEdge{{From: "Shut", Event: "Push", To: "Open"}, {From: "Open", Event: "Tear", To: "Torn", Main: true}},
		Rules: []fsm.GraphRule{{From: "Open", Event: "Push", Disposition: fsm.Ignored}}}}}
	push, again := diagrams.Row{Region: "door", State: "Shut", Event: "Push"}, diagrams.Row{Region: "door", State: "Open", Event: "Push"}
	part, err := diagrams.Select(g, diagrams.Concern{Way: []diagrams.Row{push}, Otherwise: []diagrams.Row{again}})
	if err != nil {
		t.Fatal(err)
	}
	if r := part.Regions[0]; len(r.States) != 2 || len(r.Edges) != 1 || !r.Edges[0].Main || len(r.Rules) != 1 {
		t.Errorf("selected %+v", r)
	}
	pull := diagrams.Row{Region: "door", State: "Shut", Event: "Pull"}
	_, err = diagrams.DOTConcern(g, diagrams.Concern{Way: []diagrams.Row{push, pull}})
	var unknown *diagrams.UnknownRowError
	if !errors.As(err, &unknown) || len(unknown.Rows) != 1 || unknown.Rows[0] != pull {
		t.Error(err)
	}
}

func TestEverySelectedWayCanBeFoundInThePicture(t *testing.T) {
	r := fsm.GraphRegion{Name: "door", States: []fsm.GraphState{{Name: "Shut"}, {Name: "Open"}},
		Edges: []fsm.GraphEdge{{From: "Shut", Event: "Push", To: "Open"}}}
	dot := diagrams.DOT(r)
	for _, id := range []string{diagrams.StateID("door", "Shut"), diagrams.StateID("door", "Open"), diagrams.WayID("door", "Shut", "Open")} {
		if !strings.Contains(dot, `id="`+id+`"`) {
			t.Errorf("%s is not in %s", id, dot)
		}
	}
}

func ExampleEventTable() {
	fmt.Print(diagrams.EventTable(fsm.Graph{Name: "door", Regions: []fsm.GraphRegion{{Name: "door",
		Events: []fsm.GraphEvent{{Name: "Push", Doc: "Someone pushes.", Otherwise: "it is open"}},
		Edges:  []fsm.GraphEdge{{From: "Shut", Event: "Push", To: "Open", Guards: []fsm.GraphGuard{{Name: "unlocked"}}}},
		Rules:  []fsm.GraphRule{{From: "Open", Event: "Push", Disposition: fsm.Ignored, Reason: "no door is in the way"}}}}}))
	// Output:
	// # The events of door
	//
	// Generated from the declaration; `make diagrams` writes it again. An *outcome* is what a state's own job or timer says, and is
	// stale once that state was left; a *happening* comes from elsewhere. Where an event is not listed it is refused, for the reason given.
	//
	// ## Region door
	//
	// | event | is | what it says | leads | else refused because |
	// |---|---|---|---|---|
	// | Push | happening | Someone pushes. | Shut → Open [unlocked]<br>Open ignored: no door is in the way | it is open |
}
