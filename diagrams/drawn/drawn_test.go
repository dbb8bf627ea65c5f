package drawn_test

import (
	"strings"
	"testing"

	"mcpproxy/diagrams"
	"mcpproxy/diagrams/drawn"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Each state has its place in the picture of its region and in that of both, where it can
// be lit.
func TestEachStateCanBeLit(t *testing.T) {
	for _, r := range transitions.Definition().Graph().Regions {
		for _, s := range r.States {
			if s.Name == string(states.Closed) {
				continue // not drawn: nothing is left to look at
			}
			for _, name := range []string{drawn.Overview, r.Name} {
				svg, err := drawn.SVG(name, &diagrams.Marks{Now: map[string]string{r.Name: s.Name}})
				if err != nil {
					t.Fatal(err)
				}
				if lit := strings.Count(string(svg), ` now"`); lit != 1 {
					t.Errorf("%s lights %d states for %s", name, lit, s.Name)
				}
			}
		}
	}
}

// The ways that were taken are lit, the last ones as the path.
func TestWaysAreLit(t *testing.T) {
	svg, err := drawn.SVG(drawn.Credential, &diagrams.Marks{
		Taken: []diagrams.Taken{
			{Region: states.Credential, From: "Unloaded", Event: "CredentialDemanded", To: "LoadingToken", Times: 2},
			{Region: states.Credential, From: "LoadingToken", Event: "TokenUsable", To: "Fresh", Times: 1},
		},
		Path: []string{diagrams.WayID(states.Credential, "LoadingToken", "Fresh")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`LoadingToken" class="edge way main taken"`, `Fresh" class="edge way main taken path"`, ".path path"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture has no %s", want)
		}
	}
	if _, err := drawn.SVG("nothing", nil); err == nil {
		t.Error("a picture that is not there was returned")
	}
}
