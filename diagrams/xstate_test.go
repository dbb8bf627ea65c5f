package diagrams_test

import (
	"encoding/json"
	"testing"

	"mcpproxy/diagrams"
	"mcpproxy/transitions"
)

// A timer runs in the state that it belongs to, also where its row is a composite state's.
func TestXStateHasEachTimerAtItsState(t *testing.T) {
	graph := transitions.Definition().Graph()
	text, err := diagrams.XState(graph)
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		ID     string
		After  map[string]any
		States map[string]json.RawMessage
	}
	after := map[string]map[string]any{}
	var walk func(json.RawMessage)
	walk = func(text json.RawMessage) {
		var n node
		if err := json.Unmarshal(text, &n); err != nil {
			t.Fatal(err)
		}
		after[n.ID] = n.After
		for _, inner := range n.States {
			walk(inner)
		}
	}
	walk(text)
	for _, r := range graph.Regions {
		for _, s := range r.States {
			for _, timer := range s.Timers {
				if after[r.Name+"-"+s.Name][timer.Event] == nil {
					t.Errorf("%s of %s has no after", timer.Event, s.Name)
				}
			}
		}
	}
}
