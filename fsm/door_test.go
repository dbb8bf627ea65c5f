package fsm_test

import (
	"errors"
	"time"

	"mcpproxy/fsm"
)

// The machine that the tests use: a door that a motor opens, and a lamp that is
// lit while the door is open. Two regions, a job with a deadline, a guard, each
// kind of rule.
type (
	state string
	event string
	// data of the door.
	data struct {
		Key     string
		Opened  int
		OpenFor time.Duration
	}
	payload  struct{ Key string }
	spec     = fsm.Spec[state, event, data, payload]
	region   = fsm.Region[state, event, data, payload]
	move     = fsm.Transition[state, event, data, payload]
	rule     = fsm.Rule[state, event]
	input    = fsm.Input[event, payload]
	machine  = fsm.Machine[state, event, data, payload]
	snapshot = fsm.Snapshot[state, event, data, payload]
	options  = fsm.Options[state, event, data, payload]
	order    = fsm.Order[state, event, data, payload]
	effects  = map[string]fsm.Effect[state, event, data, payload]
)

const (
	shut    state = "Shut"
	opening state = "Opening"
	open    state = "Open"
	broken  state = "Broken"

	dark state = "Dark"
	lit  state = "Lit"

	push    event = "Push"
	pull    event = "Pull"
	opened  event = "Opened"
	jammed  event = "Jammed"
	closes  event = "Closes"
	knock   event = "Knock"
	shine   event = "Shine"
	darken  event = "Darken"
	lampOff event = "LampOff"
)

var errWrongKey = errors.New("the key does not fit")

// smudged is a key that nobody can read: the note about it panics.
const smudged = "smudged"

func (p payload) Note() string {
	if p.Key == smudged {
		panic("the key cannot be read")
	}
	if p.Key == "" {
		return ""
	}
	return "with a key"
}

func doorRegion() region {
	fits := fsm.Guard[event, data, payload]{Name: "keyFits", Doc: "the key fits", Check: func(d data, in *input) error {
		if in.Payload.Key != d.Key {
			return errWrongKey
		}
		return nil
	}}
	return region{
		Name: "door", Doc: "The door.", Initial: shut,
		States: []fsm.State[state, event, data, payload]{
			{Name: shut, Kind: fsm.Parked, Doc: "Nothing moves."},
			{Name: opening, Kind: fsm.Working, Doc: "The motor runs.", Job: fsm.Job[event]{Name: "motor", Crashed: jammed},
				Timers: []fsm.Timer[event, data]{{Event: jammed, Doc: "10 s",
					At: func(_ data, entered time.Time) time.Time { return entered.Add(10 * time.Second) }}}},
			{Name: open, Kind: fsm.Waiting, Doc: "Users pass.", Signals: []event{shine},
				Timers: []fsm.Timer[event, data]{{Event: closes, Doc: "as set",
					At: func(d data, entered time.Time) time.Time { return entered.Add(d.OpenFor) }}}},
			{Name: broken, Kind: fsm.Parked, Doc: "Someone has to look at it."},
		},
		Events: []fsm.Event[event]{
			{Name: push, Doc: "Someone wants to pass.", Otherwise: "the door is broken"},
			{Name: pull, Doc: "Someone wants it shut.", Otherwise: "the door is broken"},
			{Name: opened, Doc: "The motor is done.", Bound: true, Otherwise: "the motor does not run"},
			{Name: jammed, Doc: "The motor cannot.", Bound: true, Otherwise: "the motor does not run"},
			{Name: closes, Doc: "It has been open long enough.", Bound: true, Otherwise: "the door is not open"},
			{Name: knock, Doc: "Someone knocks.", Otherwise: "nobody hears it"},
		},
		Transitions: []move{
			{From: []state{shut}, Event: push, To: opening, Guards: []fsm.Guard[event, data, payload]{fits}, Main: true},
			{From: []state{opening}, Event: opened, To: open, Update: func(d data, _ *input) data { d.Opened++; return d }},
			{From: []state{opening}, Event: jammed, To: broken},
			{From: []state{open}, Event: closes, To: shut, Signals: []event{darken}},
			{From: []state{open}, Event: pull, To: shut, Signals: []event{darken}},
			{From: []state{open}, Event: knock, To: open, Update: func(d data, _ *input) data { d.OpenFor += time.Second; return d }},
			{From: []state{broken}, Event: knock, To: shut},
		},
		Joins:     []rule{{From: []state{opening}, Event: push, Reason: "it opens already"}},
		Postpones: []rule{{From: []state{opening}, Event: pull, Reason: "the motor cannot turn back"}},
		Ignores:   []rule{{From: []state{shut}, Event: pull, Reason: "it is shut"}},
	}
}

func lampRegion() region {
	return region{
		Name: "lamp", Doc: "The lamp.", Initial: dark,
		States: []fsm.State[state, event, data, payload]{
			{Name: dark, Kind: fsm.Parked, Doc: "No light."},
			{Name: lit, Kind: fsm.Serving, Doc: "Light."},
		},
		Events: []fsm.Event[event]{
			{Name: shine, Doc: "The door says so.", Otherwise: "it is lit"},
			{Name: darken, Doc: "The door says so.", Otherwise: "it is dark"},
			{Name: lampOff, Doc: "Someone turns it off.", Otherwise: "it is dark"},
		},
		Transitions: []move{
			{From: []state{dark}, Event: shine, To: lit},
			{From: []state{lit}, Event: darken, To: dark},
			{From: []state{lit}, Event: lampOff, To: dark},
		},
		Ignores: []rule{{From: []state{dark}, Event: darken, Reason: "it is dark"}, {From: []state{lit}, Event: shine, Reason: "it is lit"}},
	}
}

func doorSpec() spec { return spec{Name: "door", Regions: []region{doorRegion(), lampRegion()}} }

func compile(s spec) *fsm.Definition[state, event, data, payload] {
	d, err := fsm.Compile(s)
	if err != nil {
		panic(err)
	}
	return d
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func newDoor(o options) *machine {
	return fsm.New(compile(doorSpec()), "front", data{Key: "k", OpenFor: time.Minute}, noon, o)
}

// openDoor fires what it takes to open a door.
func openDoor(m *machine) {
	_, err := m.Fire(input{Event: push, At: noon, Payload: payload{"k"}})
	if err == nil {
		_, err = m.Fire(input{Event: opened, At: noon, Epoch: m.Snapshot().Region("door").Epoch})
	}
	if err != nil {
		panic(err)
	}
}
