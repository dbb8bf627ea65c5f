package rounds_test

import (
	"testing"

	"mcpproxy/tests/bench/rounds"
)

// A round in which the machine was slow counts as the others do.
func TestRatio(t *testing.T) {
	of, to := []float64{12, 24, 12, 13, 90}, []float64{10, 20, 10, 10, 10}
	if got := rounds.Ratio(of, to); got != 1.2 {
		t.Errorf("the ratio is %v", got)
	}
	if of[1] != 24 || rounds.Median(of) != 13 || of[1] != 24 {
		t.Errorf("the median of %v is %v", of, rounds.Median(of))
	}
}
