package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/diagrams/layout"
	"mcpproxy/states"
	"mcpproxy/tests/golden"
	"mcpproxy/transitions"
)

func TestVerifySaysWhatItExplored(t *testing.T) {
	var out bytes.Buffer
	c := root()
	c.SetOut(&out)
	c.SetArgs([]string{"verify", "--mode", "unattended,device", "--worlds", "300", "--json"})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all verified
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	if !all.Holds || all.Complete || all.Worlds <= 600 || len(all.Modes) != 2 || all.Modes[0].Mode != "unattended" ||
		len(all.Invariants) == 0 {
		t.Errorf("%s", out.String())
	}
}

func TestVerifyKnowsItsModes(t *testing.T) {
	c := root()
	c.SetArgs([]string{"verify", "--mode", "manual"})
	if err := c.ExecuteContext(t.Context()); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
}

// A graph that breaks a promise: the shortest sequence that shows it is printed, and
// drawn from its beginning to its end.
func TestVerifyShowsACounterexampleAndDrawsIt(t *testing.T) {
	spec := transitions.Declaration()
	for i := range spec.Regions[1].Transitions {
		if row := &spec.Regions[1].Transitions[i]; row.Event == transitions.Challenged && row.To == states.LoginRequired {
			row.Update = nil // which gives the reason
		}
	}
	drawing := filepath.Join(t.TempDir(), "counterexample.dot")
	var out bytes.Buffer
	v := verification{modes: []string{"interactive"}, dot: drawing, spec: &spec}
	if err := v.run(t.Context(), &out, io.Discard); !errors.Is(err, errCounterexample) || !strings.Contains(err.Error(), drawing) ||
		exitCode(err) != exitCounterexample {
		t.Errorf("%v", err)
	}
	_, told, _ := strings.Cut(out.String(), "\n\n")
	told = regexp.MustCompile(`(?m)^holds so far .*\n| +$`).ReplaceAllString(told, "")
	golden.Compare(t, "testdata/counterexample.txt", told)
	picture, err := os.ReadFile(drawing)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/counterexample.dot", string(picture))
	if image, err := layout.Bare(t.Context(), string(picture)); err != nil || !strings.Contains(string(image), "</svg>") {
		t.Errorf("Graphviz makes of it: %v", err)
	}
}
