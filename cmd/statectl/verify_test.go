package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
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
	if !all.Holds || all.Complete || all.Worlds <= 600 || len(all.Modes) != 2 || all.Modes[0].Mode != "unattended" || len(all.Invariants) == 0 {
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
