package transitions_test

import (
	"testing"

	"mcpproxy/transitions"
)

func TestDefinitionCompiles(t *testing.T) {
	defer func() {
		if problem := recover(); problem != nil {
			t.Fatal(problem)
		}
	}()
	transitions.Definition()
}
