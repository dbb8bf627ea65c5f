package fsm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/fsm"

	"github.com/google/go-cmp/cmp"
)

// Whatever is refused leaves the very same snapshot, calls nobody, and is
// journalled with the reason.
func TestRefusedChangesNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(*machine)
		in     input
		is     error
		text   string
	}{
		{"illegal", nil, input{Event: knock, Flow: "f"}, fsm.ErrIllegal,
			"illegal transition refused: front: Knock in state Shut (door, epoch 1), flow f: nobody hears it; accepted now: Push"},
		{"guarded", nil, input{Event: push, Payload: payload{"wrong"}}, errWrongKey,
			"refused by guard keyFits: front: Push in state Shut (door, epoch 1): the key does not fit"},
		{"an outcome of a state that was left", openDoor, input{Event: closes, Epoch: 1}, fsm.ErrStale,
			"stale event refused: front: Closes in state Open (door, epoch 4): it belongs to epoch 1: the state that started it was left since; accepted now: Pull, Closes, Knock"},
		{"an outcome of nobody", openDoor, input{Event: closes}, fsm.ErrStale,
			"stale event refused: front: Closes in state Open (door, epoch 4): it belongs to epoch 0: it is the outcome of a job or timer and carries no epoch; accepted now: Pull, Closes, Knock"},
		{"unknown", nil, input{Event: "Kick"}, fsm.ErrUnknownEvent, `front: unknown event "Kick"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var performed int
			var journal []fsm.Entry
			m := newDoor(options{Perform: func(*fsm.Move[state, event, data, payload]) { performed++ },
				Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
			if test.before != nil {
				test.before(m)
			}
			before, sofar := m.Snapshot(), performed
			outcome, err := m.Fire(test.in)
			if brief, _, _ := strings.Cut(test.text, "; accepted now"); fsm.Brief(err) != brief {
				t.Errorf("in brief: %q", fsm.Brief(err))
			}
			if !errors.Is(err, test.is) || err.Error() != test.text {
				t.Errorf("Fire = %v\nwant %s", err, test.text)
			}
			if !outcome.Disposition.Refused() || m.Snapshot() != before || performed != sofar {
				t.Errorf("the machine has changed: %+v", outcome)
			}
			if last := journal[len(journal)-1]; !last.Disposition.Refused() || last.Event != string(test.in.Event) || last.Flow != test.in.Flow {
				t.Errorf("journalled as %+v", last)
			}
		})
	}
}

// Entering a state again is another epoch: what the earlier entry started is over.
func TestEpochsTellEntriesApart(t *testing.T) {
	m := newDoor(options{})
	openDoor(m)
	first := m.Snapshot().Region("door").Epoch
	_, _ = m.Fire(input{Event: pull, At: noon})
	openDoor(m)
	if _, err := m.Fire(input{Event: closes, At: noon, Epoch: first}); !errors.Is(err, fsm.ErrStale) {
		t.Errorf("the timer of the first entry was taken: %v", err)
	}
	if _, err := m.Fire(input{Event: closes, At: noon, Epoch: m.Snapshot().Region("door").Epoch}); err != nil {
		t.Errorf("the timer of the second entry was refused: %v", err)
	}
}

// An internal transition keeps the entry and computes its timers again.
func TestInternalTransition(t *testing.T) {
	m := newDoor(options{})
	openDoor(m)
	before := m.Snapshot().Region("door")
	outcome, err := m.Fire(input{Event: knock, At: noon.Add(time.Second)})
	after := m.Snapshot().Region("door")
	if err != nil || outcome.Disposition != fsm.Updated || after.Epoch != before.Epoch || after.Since != before.Since {
		t.Fatalf("knock = %+v, %v; %+v", outcome, err, after)
	}
	if got := after.Timers[0].At.Sub(before.Timers[0].At); got != time.Second {
		t.Errorf("the timer moved by %s", got)
	}
}

// A postponed event is one request however often it is fired, and comes true when the
// state is left, in the same step.
func TestPostponed(t *testing.T) {
	var journal []string
	m := newDoor(options{Journal: func(e *fsm.Entry) { journal = append(journal, fmt.Sprint(e.Event, " ", e.Disposition)) }})
	_, _ = m.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
	for range 3 {
		if outcome, err := m.Fire(input{Event: pull, At: noon}); err != nil || outcome.Disposition != fsm.Postponed {
			t.Fatalf("pull = %+v, %v", outcome, err)
		}
	}
	if got := m.Snapshot().Postponed(); !slices.Equal(got, []event{pull}) {
		t.Fatalf("postponed are %v", got)
	}
	_, _ = m.Fire(input{Event: opened, At: noon, Epoch: m.Snapshot().Region("door").Epoch})
	if s := m.Snapshot(); s.Region("door").State != shut || s.Region("lamp").State != dark || len(s.Postponed()) != 0 {
		t.Errorf("afterwards: %+v", s.Regions)
	}
	want := []string{"Push moved", "Pull postponed", "Pull postponed", "Pull postponed", "Opened moved", "Shine moved", "Pull moved",
		"Darken moved"}
	if diff := cmp.Diff(want, journal); diff != "" {
		t.Error(diff)
	}
}

// A commit that fails takes back the whole step, what it raised included, whether
// someone keeps a journal or not.
func TestVetoTakesBackTheWholeStep(t *testing.T) {
	var journal []fsm.Entry
	for name, keep := range map[string]func(*fsm.Entry){"with a journal": func(e *fsm.Entry) { journal = append(journal, *e) }, "without " +
		"one": nil} {
		t.Run(name, func(t *testing.T) {
			full := errors.New("the disk is full")
			var veto state
			m := newDoor(options{Journal: keep, Commit: func(move *fsm.Move[state, event, data, payload]) error {
				if move.To == veto {
					return full
				}
				return nil
			}})
			_, _ = m.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
			before := m.Snapshot()
			veto = lit // raised by the door's opening
			outcome, err := m.Fire(input{Event: opened, At: noon, Epoch: before.Region("door").Epoch})
			if !errors.Is(err, full) || !errors.Is(err, fsm.ErrVetoed) || outcome.Disposition != fsm.Vetoed {
				t.Fatalf("Fire = %+v, %v", outcome, err)
			}
			if m.Snapshot() != before {
				t.Error("the step was not taken back")
			}
			veto = ""
			if _, err := m.Fire(input{Event: opened, At: noon, Epoch: before.Region("door").Epoch}); err != nil {
				t.Errorf("and again: %v", err)
			}
		})
	}
	if err := compile(doorSpec()).Replay(journal); err != nil {
		t.Errorf("the journal: %v", err)
	}
}

// Nothing that panics wedges the machine.
func TestPanicsAreRefusals(t *testing.T) {
	for where, callback := range map[string]string{"note": "note", "guard": "guard g", "update": "update for Push",
		"timer":  "timers of Opening",
		"commit": "commit hook", "observer": "observer", "journal": "observer"} {
		t.Run(where, func(t *testing.T) {
			crash := true
			blow := func(at string) {
				if crash && at == where {
					panic("boom")
				}
			}
			s := doorSpec()
			s.Regions[0].Transitions[0].Guards = []fsm.Guard[event, data, payload]{{Name: "g", Doc: "g",
				Check: func(data, *input) error { blow("guard"); return nil }}}
			s.Regions[0].Transitions[0].Update = func(d data, _ *input) data { blow("update"); return d }
			at := s.Regions[0].States[1].Timers[0].At
			s.Regions[0].States[1].Timers[0].At = func(d data, entered time.Time) time.Time { blow("timer"); return at(d, entered) }
			var caught []error
			m := fsm.New(compile(s), "front", data{}, noon, options{
				Commit:   func(*fsm.Move[state, event, data, payload]) error { blow("commit"); return nil },
				Perform:  func(*fsm.Move[state, event, data, payload]) { blow("observer") },
				Journal:  func(*fsm.Entry) { blow("journal") },
				Panicked: func(err *fsm.PanicError) { caught = append(caught, err) },
			})
			before := m.Snapshot()
			in := input{Event: push, At: noon}
			if where == "note" {
				in.Payload.Key = smudged
			}
			_, err := m.Fire(in)
			if err == nil && len(caught) == 1 {
				err = caught[0]
			} else if m.Snapshot() != before {
				t.Error("a refused event changed the machine")
			}
			if crash, ok := errors.AsType[*fsm.PanicError](err); !ok || crash.Callback != callback {
				t.Errorf("the panic came out as %v, want one in %s", err, callback)
			}
			crash = false
			if _, err := m.Fire(input{Event: push, At: noon}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// An event fired from inside a callback is refused; one fired by an observer is
// carried out, after what is being observed.
func TestReentrantFire(t *testing.T) {
	var m *machine
	var inside, outside error
	s := doorSpec()
	s.Regions[0].Transitions[0].Update = func(d data, _ *input) data { _, inside = m.Fire(input{Event: push, At: noon}); return d }
	var order []string
	m = fsm.New(compile(s), "front", data{Key: "k"}, noon, options{
		Perform: func(move *fsm.Move[state, event, data, payload]) {
			order = append(order, string(move.To))
			if move.To == opening {
				_, outside = m.Fire(input{Event: opened, At: noon, Epoch: move.Epoch})
			}
		}})
	if _, err := m.Fire(input{Event: push, At: noon, Payload: payload{"k"}}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inside, fsm.ErrReentrant) || outside != nil {
		t.Errorf("from inside: %v, from an observer: %v", inside, outside)
	}
	if want := []string{"Opening", "Open", "Lit"}; !slices.Equal(order, want) {
		t.Errorf("observed %v, want %v", order, want)
	}
}

// Who waits sees every state, however short it lasted; who reads after waiting
// never reads an older state.
func TestWaitMissesNoState(t *testing.T) {
	m := newDoor(options{})
	const rounds, waiters = 200, 8
	var work, waiting sync.WaitGroup
	waiting.Add(waiters)
	for range waiters {
		begin := m.Snapshot()
		work.Go(func() {
			seen := 0
			last := begin
			begun := sync.OnceFunc(waiting.Done)
			_, err := m.Wait(t.Context(), func(s *snapshot) bool {
				defer begun()
				if s.Region("door").State == opening && last.Region("door").State != opening {
					seen++
				}
				if s.Sequence < last.Sequence || s.Sequence > last.Sequence+1 {
					t.Errorf("from %d to %d", last.Sequence, s.Sequence)
				}
				last = s
				return s.Data.Opened == rounds && s.Region("door").State == shut
			})
			if err != nil || seen != rounds {
				t.Errorf("saw the door opening %d times, %v", seen, err)
			}
			if now := m.Snapshot(); now.Sequence < last.Sequence {
				t.Errorf("waited for %d and reads %d", last.Sequence, now.Sequence)
			}
		})
	}
	waiting.Wait()
	for range rounds {
		openDoor(m)
		_, _ = m.Fire(input{Event: pull, At: noon})
	}
	work.Wait()
}

func TestWaitEndsWithItsContext(t *testing.T) {
	m := newDoor(options{})
	why := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	s, err := m.Wait(ctx, func(*snapshot) bool { return false })
	if !errors.Is(err, why) || s != m.Snapshot() {
		t.Errorf("Wait = %v, %v", s, err)
	}
}

// Concurrent events are serialised: moves and journal entries are seen in the
// order in which they were decided.
func TestObserversSeeOneOrder(t *testing.T) {
	var mu sync.Mutex
	var sequences []uint64
	m := newDoor(options{Perform: func(move *fsm.Move[state, event, data, payload]) {
		mu.Lock()
		defer mu.Unlock()
		sequences = append(sequences, move.After.Sequence)
	}})
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 200 {
				_, _ = m.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
				_, _ = m.Fire(input{Event: opened, At: noon, Epoch: m.Snapshot().Region("door").Epoch})
				_, _ = m.Fire(input{Event: pull, At: noon})
			}
		})
	}
	work.Wait()
	mu.Lock()
	defer mu.Unlock()
	if !slices.IsSorted(sequences) || uint64(len(sequences)) != m.Snapshot().Sequence {
		t.Errorf("%d moves of %d, in order: %t", len(sequences), m.Snapshot().Sequence, slices.IsSorted(sequences))
	}
}

// Next is Step without what only a journal wants.
func TestNextIsStepWithoutEntries(t *testing.T) {
	d := newDoor(options{}).Definition()
	s := newDoor(options{}).Snapshot()
	for _, in := range []input{{Event: push, At: noon, Payload: payload{"k"}}, {Event: pull, At: noon}, {Event: closes, At: noon, Epoch: 7},
		{Event: "Kick"}} {
		after, step := d.Step(s, in, nil)
		same, next := d.Next(s, in)
		if len(next.Entries) != 0 || next.Outcome != step.Outcome || len(next.Moves) != len(step.Moves) ||
			(next.Err == nil) != (step.Err == nil) {
			t.Errorf("%s: Next says %+v, %v, and Step %+v, %v", in.Event, next.Outcome, next.Err, step.Outcome, step.Err)
		}
		if after.Sequence != same.Sequence || after.Regions[0].State != same.Regions[0].State {
			t.Errorf("%s: Next leads to %+v, Step to %+v", in.Event, same.Regions[0], after.Regions[0])
		}
		s = after
	}
}
