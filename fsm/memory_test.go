package fsm_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"mcpproxy/fsm"
)

// A refused event allocates the error that says so, and an event that changes
// nothing allocates nothing.
func TestRefusedAllocatesItsErrorOnly(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector has pools forget what they hold")
	}
	var m *machine
	for _, test := range []struct {
		name   string
		in     input
		most   float64
		before func(*machine)
	}{
		{"illegal", input{Event: knock}, 1, nil},
		{"guarded", input{Event: push, Payload: payload{"wrong"}}, 1, nil},
		{"stale", input{Event: closes, Epoch: 1}, 1, openDoor},
		{"unknown", input{Event: "Kick"}, 1, nil},
		{"ignored", input{Event: pull}, 0, nil},
	} {
		m = newDoor(options{Perform: func(*fsm.Move[state, event, data, payload]) {}, Journal: func(*fsm.Entry) {}})
		if test.before != nil {
			test.before(m)
		}
		if got := testing.AllocsPerRun(200, func() { _, _ = m.Fire(test.in) }); got > test.most {
			t.Errorf("%s: %v allocations, want at most %v", test.name, got, test.most)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	m := newDoor(options{})
	if got := testing.AllocsPerRun(200, func() { runtime.KeepAlive(m.Snapshot()) }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Who keeps an old snapshot, as a job does that lasts, keeps none of those after it.
func TestAnOldSnapshotKeepsNoLaterOnes(t *testing.T) {
	m := newDoor(options{})
	kept := m.Snapshot()
	openDoor(m)
	later := weak.Make(m.Snapshot())
	_, _ = m.Fire(input{Event: pull, At: noon})
	runtime.GC()
	if later.Value() != nil {
		t.Error("a snapshot that nobody holds is still there")
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(m)
}

// Nothing that an event carried stays behind with what later events reuse.
func TestPayloadsAreForgotten(t *testing.T) {
	type secret [64]byte
	s := fsm.Spec[state, event, data, *secret]{Name: "lamp", Regions: []fsm.Region[state, event, data, *secret]{{Name: "lamp", Initial: dark,
		States: []fsm.State[state, event, data, *secret]{{Name: dark, Kind: fsm.Parked, Doc: "x"}, {Name: lit, Kind: fsm.Parked, Doc: "x"}},
		Events: []fsm.Event[event]{{Name: shine, Doc: "x", Otherwise: "x"}, {Name: darken, Doc: "x", Otherwise: "x"}},
		Transitions: []fsm.Transition[state, event, data, *secret]{{From: []state{dark}, Event: shine, To: lit},
			{From: []state{lit}, Event: darken, To: dark}}}}}
	d, err := fsm.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	m := fsm.New(d, "m", data{}, noon, fsm.Options[state, event, data, *secret]{Perform: func(*fsm.Move[state, event, data, *secret]) {}})
	var all []weak.Pointer[secret]
	for _, e := range []event{shine, shine, darken} { // the second is refused
		carried := new(secret)
		all = append(all, weak.Make(carried))
		_, _ = m.Fire(fsm.Input[event, *secret]{Event: e, At: noon, Payload: carried})
	}
	runtime.GC()
	for i, one := range all {
		if one.Value() != nil {
			t.Errorf("what event %d carried is still there", i)
		}
	}
	runtime.KeepAlive(m)
}

// While others fire and observe, everybody is told of the own event.
func TestOutcomesAreOnesOwn(t *testing.T) {
	m := newDoor(options{Journal: func(*fsm.Entry) { runtime.Gosched() }})
	var work sync.WaitGroup
	for n := range 8 {
		work.Go(func() {
			own := event(fmt.Sprint("Kick", n))
			for range 200 {
				_, err := m.Fire(input{Event: own, At: noon})
				if want := fmt.Sprintf("front: unknown event %q", own); !errors.Is(err, fsm.ErrUnknownEvent) || err.Error() != want {
					t.Errorf("Fire = %v, want %s", err, want)
				}
				flow := fmt.Sprint("flow ", n)
				_, err = m.Fire(input{Event: knock, At: noon.Add(time.Duration(n)), Flow: flow})
				var refused *fsm.IllegalTransitionError
				if !errors.As(err, &refused) || refused.Flow != flow {
					t.Errorf("Fire = %v, want it to speak of %s", err, flow)
				}
			}
		})
	}
	work.Wait()
}
