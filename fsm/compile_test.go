package fsm_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
)

// One mistake in a declaration is one problem with its place; many are reported
// at once.
func TestCompileRefuses(t *testing.T) {
	later := func(_ data, entered time.Time) time.Time { return entered }
	for _, test := range []struct {
		name    string
		mistake func(*region)
		want    string
	}{
		{"a state without a doc line", func(r *region) { r.States[0].Doc = "" }, "state Shut has no doc line"},
		{"an unknown kind", func(r *region) { r.States[0].Kind = "idle" }, `state Shut has the unknown kind "idle"`},
		{"a parked state that costs something", func(r *region) { r.States[0].Job.Name = "motor" }, "state Shut is parked and must cost nothing"},
		{"a waiting state without a timer", func(r *region) { r.States[2].Timers = nil }, "state Open is waiting and has no timer"},
		{"a working state without a job", func(r *region) { r.States[1].Job = fsm.Job[event]{} }, "state Opening is working and has no job"},
		{"a working state without a deadline", func(r *region) { r.States[1].Timers = nil }, "state Opening is working and has no deadline"},
		{"a timer that leads nowhere", func(r *region) {
			r.States[2].Timers = append(r.States[2].Timers, fsm.Timer[event, data]{Event: opened, Doc: "x", At: later})
		}, "its timer Opened is no transition there"},
		{"a timer of an event that is not bound", func(r *region) {
			r.States[2].Timers = append(r.States[2].Timers, fsm.Timer[event, data]{Event: knock, Doc: "x", At: later})
		}, "its timer's event Knock is not bound to an epoch"},
		{"a crash that leads nowhere", func(r *region) { r.States[1].Job.Crashed = knock }, `the event for a crash of its job, "Knock", is no transition there`},
		{"an unknown destination", func(r *region) { r.Transitions[0].To = "Ajar" }, "Ajar"},
		{"an unknown origin", func(r *region) { r.Transitions[0].From = []state{"Ajar"} }, "Ajar"},
		{"an unknown event", func(r *region) { r.Transitions[0].Event = "Kick" }, "Kick"},
		{"two destinations", func(r *region) {
			r.Transitions = append(r.Transitions, move{From: []state{shut}, Event: push, To: open})
		}, "Push"},
		{"two meanings", func(r *region) {
			r.Ignores = append(r.Ignores, rule{From: []state{opening}, Event: push, Reason: "x"})
		}, "Push"},
		{"no reason", func(r *region) { r.Ignores[0].Reason = "" }, "reason"},
		{"a dead end", func(r *region) { r.Transitions = r.Transitions[:len(r.Transitions)-1] }, "state Broken is a dead end"},
		{"an unreachable state", func(r *region) {
			r.States = append(r.States, fsm.State[state, event, data, payload]{Name: "Ajar", Kind: fsm.Parked, Doc: "x"})
			r.Transitions = append(r.Transitions, move{From: []state{"Ajar"}, Event: push, To: shut})
		}, "state Ajar cannot be reached"},
		{"an unknown initial state", func(r *region) { r.Initial = "Ajar" }, "Ajar"},
		{"a signal of its own region", func(r *region) { r.States[2].Signals = []event{knock} }, "Knock"},
		{"an offer without words", func(r *region) { r.States[0].Offers = []choice{{Event: push}} }, "its offer Push does not say"},
		{"an offer of nothing", func(r *region) { r.States[0].Offers = []choice{{Event: "Kick", Doc: "kicks"}} }, "offers Kick"},
		{"a signal that nobody takes", func(r *region) { r.States[2].Signals = []event{"Sing"} }, "Sing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := doorSpec()
			test.mistake(&s.Regions[0])
			_, err := fsm.Compile(s)
			var problems *fsm.DefinitionError
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Compile = %v\nwant a problem with %q", err, test.want)
			}
		})
	}
	s := doorSpec()
	s.Regions[0].States[0].Doc, s.Regions[0].States[1].Timers, s.Regions[1].States[0].Doc = "", nil, ""
	_, err := fsm.Compile(s)
	var problems *fsm.DefinitionError
	if !errors.As(err, &problems) || len(problems.Problems) < 3 {
		t.Errorf("three mistakes give %v", err)
	}
}
