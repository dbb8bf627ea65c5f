package verify_test

import (
	"testing"

	"mcpproxy/verify"
)

func TestThePromisesHold(t *testing.T) {
	for _, mode := range verify.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			report, err := verify.Explore(t.Context(), verify.Options{Mode: mode, Worlds: most})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d worlds, %d steps, %d events of which %d were refused, %.1f s", report.Worlds, report.Steps, report.Fired, report.Refused,
				report.Seconds)
			if c := report.Counterexample; c != nil {
				t.Errorf("%s: %s", c.Invariant, c.Why)
				for _, s := range c.Trace {
					t.Logf("%-60s %s / %s", s.Action, s.Connection, s.Credential)
				}
			}
		})
	}
}
