package fsm_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"mcpproxy/fsm"

	"pgregory.net/rapid"
)

// plain is the door and the lamp once more, written down without the engine.
type plain struct {
	door, lamp state
	pulled     bool
}

// fire is what the declaration says, as a user would do it by hand.
func (p *plain) fire(e event, key bool) fsm.Disposition {
	leave := func(to state, darkens bool) fsm.Disposition {
		p.door = to
		if darkens {
			p.lamp = dark
		}
		return fsm.Moved
	}
	switch {
	case p.door == shut && e == push && !key:
		return fsm.Guarded
	case p.door == shut && e == push:
		return leave(opening, false)
	case p.door == shut && e == pull:
		return fsm.Ignored
	case p.door == opening && e == push:
		return fsm.Joined
	case p.door == opening && e == pull:
		p.pulled = true
		return fsm.Postponed
	case p.door == opening && e == opened:
		p.lamp = lit
		leave(open, false)
		if p.pulled {
			p.pulled = false
			leave(shut, true)
		}
		return fsm.Moved
	case p.door == opening && e == jammed:
		if p.pulled {
			p.pulled = false // and pulling a broken door is illegal
		}
		return leave(broken, false)
	case p.door == open && (e == closes || e == pull):
		return leave(shut, true)
	case p.door == open && e == knock:
		return fsm.Updated
	case p.door == broken && e == knock:
		return leave(shut, false)
	case e == lampOff && p.lamp == lit:
		p.lamp = dark
		return fsm.Moved
	}
	return fsm.Illegal
}

// The engine agrees with the plain model on any sequence of events; what it
// refuses changes nothing; and its journal replays.
func TestEngineAgreesWithAPlainModel(t *testing.T) {
	definition := compile(doorSpec())
	rapid.Check(t, func(t *rapid.T) {
		model := plain{door: shut, lamp: dark}
		var journal []fsm.Entry
		m := fsm.New(definition, "front", data{Key: "k", OpenFor: time.Minute}, noon,
			options{Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
		for range rapid.IntRange(1, 40).Draw(t, "length") {
			e := rapid.SampledFrom([]event{push, pull, opened, jammed, closes, knock, lampOff}).Draw(t, "event")
			fits := rapid.Bool().Draw(t, "key fits")
			in := input{Event: e, At: noon}
			if fits {
				in.Payload.Key = "k"
			}
			bound := e == opened || e == jammed || e == closes
			if bound {
				in.Epoch = m.Snapshot().Region("door").Epoch
			}
			late := bound && rapid.Bool().Draw(t, "late")
			before := m.Snapshot()
			if late {
				in.Epoch += 1000
			}
			outcome, err := m.Fire(in)
			want := fsm.Stale
			if !late {
				want = model.fire(e, fits)
			}
			after := m.Snapshot()
			if outcome.Disposition != want || after.Region("door").State != model.door || after.Region("lamp").State != model.lamp {
				t.Fatalf("%s: %s, door %s, lamp %s; want %s, %s, %s", e, outcome.Disposition, after.Region("door").State, after.Region("lamp").State,
					want, model.door, model.lamp)
			}
			if want.Refused() != (err != nil) || want.Refused() && after != before {
				t.Fatalf("%s: refused %t, error %v, changed %t", e, want.Refused(), err, after != before)
			}
		}
		if err := definition.Replay(journal); err != nil {
			t.Fatal(err)
		}
	})
}

// An entry that was tampered with is found.
func TestReplayFindsWhatTheGraphDoesNotExplain(t *testing.T) {
	definition := compile(doorSpec())
	var journal []fsm.Entry
	m := fsm.New(definition, "front", data{Key: "k"}, noon, options{Journal: func(e *fsm.Entry) { journal = append(journal, *e) }})
	openDoor(m)
	_, _ = m.Fire(input{Event: knock, At: noon})
	_, _ = m.Fire(input{Event: push, At: noon})
	_, _ = m.Fire(input{Event: pull, At: noon})
	for i, entry := range journal[1:] {
		if err := definition.Replay(journal[i+1:]); err != nil {
			t.Errorf("a journal that begins with %s: %v", entry.Event, err)
		}
	}
	for name, change := range map[string]func(*fsm.Entry){
		"another state":       func(e *fsm.Entry) { e.From = string(broken) },
		"an unknown state":    func(e *fsm.Entry) { e.From = "Ajar" },
		"another destination": func(e *fsm.Entry) { e.To = string(broken) },
		"another disposition": func(e *fsm.Entry) { e.Disposition = fsm.Joined },
		"another region":      func(e *fsm.Entry) { e.Region = "lamp?" },
		"an unknown event":    func(e *fsm.Entry) { e.Event = "Kick" },
		"an old epoch":        func(e *fsm.Entry) { e.Epoch = 1 },
		"another number":      func(e *fsm.Entry) { e.Sequence += 2 },
		"another cause":       func(e *fsm.Entry) { e.RaisedBy = string(knock) },
	} {
		t.Run(name, func(t *testing.T) {
			for i := range journal {
				begins := i == 0 || journal[i].Event == string(shine) // of its region: any epoch will do
				if name == "an old epoch" && begins || name == "an unknown event" && journal[i].Disposition == fsm.Illegal {
					continue
				}
				tampered := append([]fsm.Entry(nil), journal...)
				change(&tampered[i])
				var found *fsm.ReplayError
				if err := definition.Replay(tampered); !errors.As(err, &found) {
					t.Errorf("entry %d: Replay = %v", i, err)
				}
			}
		})
	}
}

// A journal goes on over restarts, each of which may cut the life before off
// anywhere; an entry that is missing within a life is found.
func TestReplayOverRestarts(t *testing.T) {
	definition := compile(doorSpec())
	var life []fsm.Entry
	m := fsm.New(definition, "front", data{Key: "k"}, noon, options{Journal: func(e *fsm.Entry) { life = append(life, *e) }})
	_, _ = m.Fire(input{Event: pull, At: noon})
	_, _ = m.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
	_, _ = m.Fire(input{Event: pull, At: noon}) // postponed, and then the cause of closing and darkness
	_, _ = m.Fire(input{Event: opened, At: noon, Epoch: m.Snapshot().Region("door").Epoch})
	if len(life) != 7 {
		t.Fatalf("%d entries: %+v", len(life), life)
	}
	for cut := range life {
		if err := definition.Replay(slices.Concat(life[:cut], life, life)); err != nil {
			t.Errorf("cut off after %d entries: %v", cut, err)
		}
		if cut < 1 || cut == len(life)-1 {
			continue
		}
		var found *fsm.ReplayError
		if err := definition.Replay(slices.Concat(life, life[:cut], life[cut+1:])); !errors.As(err, &found) || found.Index < len(life)+cut {
			t.Errorf("without entry %d (%s): Replay = %v", cut, life[cut].Event, err)
		}
	}
}

func ExampleDefinition_Replay() {
	journal := []fsm.Entry{
		{Region: "door", Event: "Push", From: "Shut", To: "Opening", Disposition: fsm.Moved, Sequence: 1, Epoch: 3, Machine: "front"},
		{Region: "door", Event: "Push", From: "Shut", To: "Opening", Disposition: fsm.Moved, Sequence: 2, Epoch: 4, Machine: "front"},
	}
	fmt.Println(compile(doorSpec()).Replay(journal))
	// Output: entry 1 (front: Push in Shut, moved) is not explained by the graph: the region is in Opening
}
