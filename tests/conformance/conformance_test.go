package conformance_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"mcpproxy/tests/conformance"
)

// TestConformance holds the proxy to every outcome in docs/conformance.md.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("the conformance suite takes minutes")
	}
	results, err := conformance.Run(t.Context(), ".", t.Output())
	if errors.Is(err, conformance.ErrNoNode) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s:\n%v", r.Name, r.Err)
		}
	}
	written, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := append(conformance.Report(results), '\n'); !bytes.Equal(written, want) {
		t.Errorf("docs/conformance.md is not what the suite says now; `make conformance` writes it again")
	}
	t.Log(conformance.Line(results))
}
