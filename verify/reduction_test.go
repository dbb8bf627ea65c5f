package verify_test

import (
	"cmp"
	"reflect"
	"testing"

	"mcpproxy/transitions"
	"mcpproxy/verify"
)

// A search that leaves out what makes no difference comes to the same verdict as one that
// leaves nothing out, by the same shortest counterexample, on any number of processors.
func TestReductionsChangeNoVerdict(t *testing.T) {
	for _, test := range wrong {
		t.Run(test.is, func(t *testing.T) {
			declared := transitions.Declaration()
			test.change(&declared)
			o := test.options
			o.Spec, o.Worlds = &declared, 8000
			bothWays(t, o)
		})
	}
	for _, mode := range verify.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			full, reduced := bothWays(t, verify.Options{Mode: mode, Worlds: 8000, Stored: true})
			if mode == verify.Given && (!full.Complete || full.Worlds != reduced.Worlds || full.Steps != reduced.Steps) {
				t.Errorf("%+v, and reduced %+v", full, reduced)
			}
			if full.Fired < reduced.Fired {
				t.Errorf("the reduced search gave the machine more events, %d, than the full one, %d", reduced.Fired, full.Fired)
			}
		})
	}
}

func bothWays(t *testing.T, o verify.Options) (full, reduced verify.Report) {
	t.Helper()
	several := cmp.Or(o.Workers, 3) // a graph that writes into what all look at has one
	o.Plain, o.Workers = true, 1
	full = explore(t, o)
	o.Plain = false
	reduced = explore(t, o)
	o.Workers = several
	side := explore(t, o)
	if !reflect.DeepEqual(full.Counterexample, reduced.Counterexample) {
		t.Errorf("the full search found\n%+v\nand the reduced one\n%+v", full.Counterexample, reduced.Counterexample)
	}
	if !reflect.DeepEqual(reduced.Counterexample, side.Counterexample) || reduced.Worlds != side.Worlds || reduced.Steps != side.Steps {
		t.Errorf("one explorer: %+v; several: %+v", reduced, side)
	}
	return full, reduced
}

func explore(t *testing.T, o verify.Options) verify.Report {
	t.Helper()
	report, err := verify.Explore(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
