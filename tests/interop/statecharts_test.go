package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mcpproxy/diagrams"
	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

// What `statectl graph` writes for other tools means there what the table means here: in
// XState, and in SCION, which interprets the W3C's SCXML.
func TestStatechartsMeanTheSameElsewhere(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	graph := transitions.Definition().Graph()
	text, err := json.Marshal(map[string]fsm.Graph{"graph": graph})
	if err != nil {
		t.Fatal(err)
	}
	xstate, err := diagrams.XState(graph)
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	args := []string{filepath.Join(dir, "statecharts.mjs")}
	for _, file := range []struct {
		name    string
		content []byte
	}{{"graph.json", text}, {"xstate.json", xstate}, {"graph.scxml", []byte(diagrams.SCXML(graph))}} {
		path := filepath.Join(files, file.name)
		if err := os.WriteFile(path, file.content, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	c := exec.CommandContext(t.Context(), nodeProgram(dir), args...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var answers map[string]struct {
		Steps int
		Wrong []string
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, r := range graph.Regions {
		for _, s := range r.States {
			if s.Kind != fsm.Final {
				steps += 2 * len(r.Events)
			}
		}
	}
	for _, name := range []string{"xstate", "scxml"} {
		if a := answers[name]; a.Steps != steps || len(a.Wrong) > 0 {
			t.Errorf("%s: %d of %d steps, wrong: %v", name, a.Steps, steps, a.Wrong)
		}
	}
}
