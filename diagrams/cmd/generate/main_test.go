package main

import "testing"

func TestDiagramsAreThoseOfTheGraph(t *testing.T) {
	if err := run(t.Context(), "../../../docs/diagrams", true); err != nil {
		t.Fatal(err)
	}
}
