package fsm_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mcpproxy/fsm"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// written adds to a journal what a fold has written.
func written(journal []fsm.Entry, w fsm.Written) []fsm.Entry {
	journal = slices.Clone(journal)
	if w.In {
		journal = journal[:len(journal)-1]
	}
	return append(journal, w.Entries...)
}

// folded is the journal that a fold writes, after each entry and, in the end, with what it
// has held back.
func folded(entries []fsm.Entry) (stages [][]fsm.Entry) {
	var f fsm.Fold
	var journal []fsm.Entry
	for _, e := range entries {
		w, _ := f.Add(e)
		journal = written(journal, w)
		stages = append(stages, journal)
	}
	return append(stages, written(journal, f.Held()))
}

// lived is what a door lives through where the events come in this order, a second apart.
// What closes it is the clock.
func lived(t interface{ Fatal(...any) }, events []event) (journal []fsm.Entry) {
	m := fsm.New(compile(doorSpec()), "front", data{Key: "k"}, noon, options{Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
	for i, e := range events {
		in := input{Event: e, At: noon.Add(time.Duration(i) * time.Second), Payload: payload{"k"}}
		if e == opened || e == closes || e == jammed {
			in.Epoch = m.Snapshot().Region("door").Epoch
		}
		if e == closes {
			in.Actor = fsm.Clock
		}
		_, _ = m.Fire(in)
	}
	if len(journal) == 0 {
		t.Fatal("nothing was lived through")
	}
	return journal
}

var evenTimes = cmpopts.IgnoreFields(fsm.Entry{}, "Time", "Note")

// What happens again and again is one round with a count, however often it does, and the
// journal says all the same what there was, and is legal: as it is, cut off at any moment,
// with another life after it, and without its beginning.
func TestRoundsAreCounted(t *testing.T) {
	definition := compile(doorSpec())
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.SampledFrom([]event{push, pull, opened, closes, jammed, knock}), 0, 6)
		var events []event
		for range rapid.IntRange(1, 3).Draw(t, "parts") {
			round := rapid.OneOf(some, rapid.Just([]event{push, opened, closes}), rapid.Just([]event{push, opened, knock, closes}),
				rapid.Just([]event{knock})).Draw(t, "round")
			for range rapid.IntRange(1, 12).Draw(t, "times") {
				events = append(events, round...)
			}
		}
		if len(events) == 0 {
			t.Skip("nothing happens")
		}
		life := lived(t, events)
		stages := folded(life)
		whole := stages[len(stages)-1]
		if diff := cmp.Diff(life, slices.Collect(fsm.Unfold(whole)), evenTimes); diff != "" {
			t.Fatalf("the journal says something else (-lived +said):\n%s", diff)
		}
		for i, stage := range stages {
			if err := definition.Replay(stage); err != nil {
				t.Fatalf("after %d entries: %v", i+1, err)
			}
			if err := definition.Replay(slices.Concat(stage, life)); err != nil {
				t.Fatalf("after %d entries and a restart: %v", i+1, err)
			}
		}
		for i := range whole {
			if err := definition.Replay(whole[i:]); err != nil {
				t.Fatalf("without the first %d entries: %v", i, err)
			}
		}
	})
}

// A thousand rounds are no more entries than three, and are written ten times; which
// entries are as before is known, whatever times and ports their notes name.
func TestAThousandRoundsAreFewEntries(t *testing.T) {
	var events []event
	for range 1000 {
		events = append(events, push, opened, closes)
	}
	life := lived(t, events)
	for i := range life {
		life[i].Note = fmt.Sprintf("next attempt at %s; read tcp 127.0.0.1:%d: connection refused", life[i].Time.Format(time.RFC3339), 30000+i)
	}
	var f fsm.Fold
	var journal []fsm.Entry
	writes, other := 0, 0
	for _, e := range life {
		w, again := f.Add(e)
		journal = written(journal, w)
		if len(w.Entries) > 0 {
			writes++
		}
		if !again {
			other++
		}
	}
	journal = written(journal, f.Held())
	perRound := len(life) / 1000
	if len(journal) > 3*perRound || other > 3*perRound || writes > len(journal)+12 {
		t.Errorf("%d entries, written in %d parts, of which %d were not as before", len(journal), writes, other)
	}
	counted := slices.IndexFunc(journal, func(e fsm.Entry) bool { return e.Again != nil })
	if counted < 0 || journal[counted].Again.Times < 990 || !journal[counted].Again.Last.After(noon.Add(2990*time.Second)) {
		t.Fatalf("the count is not there: %+v", journal)
	}
	if got, want := len(slices.Collect(fsm.Unfold(journal))), len(life); got != want {
		t.Errorf("it stands for %d entries, want %d", got, want)
	}
}

// A count that the graph does not explain is found.
func TestReplayFindsACountThatIsNotPossible(t *testing.T) {
	definition := compile(doorSpec())
	stages := folded(lived(t, []event{push, opened, closes, push, opened, closes, push, opened, closes, push, opened, closes, pull, push}))
	journal := stages[len(stages)-1]
	counted := slices.IndexFunc(journal, func(e fsm.Entry) bool { return e.Again != nil })
	if counted < 0 {
		t.Fatalf("no round was counted: %+v", journal)
	}
	for name, change := range map[string]func(*fsm.Again){
		"another count":        func(a *fsm.Again) { a.Times++ },
		"a round that is open": func(a *fsm.Again) { a.Round-- },
		"no round":             func(a *fsm.Again) { a.Round = 0 },
		"not once":             func(a *fsm.Again) { a.Times = 0 },
	} {
		tampered, again := slices.Clone(journal), *journal[counted].Again
		change(&again)
		tampered[counted].Again = &again
		if err := definition.Replay(tampered); err == nil {
			t.Errorf("%s: it is taken for legal", name)
		}
	}
}
