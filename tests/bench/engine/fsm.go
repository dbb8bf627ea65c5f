package engine

import (
	"time"

	"mcpproxy/fsm"
)

type (
	state   string
	event   string
	worth   int
	options = fsm.Options[state, event, count, worth]
	input   = fsm.Input[event, worth]
	move    = fsm.Move[state, event, count, worth]
	machine = fsm.Machine[state, event, count, worth]
)

// definition is the turnstile, compiled once for all instances.
var definition = func() *fsm.Definition[state, event, count, worth] {
	enough := fsm.Guard[event, count, worth]{Name: "enough", Doc: "the coin is worth enough", Check: func(_ count, in *input) error {
		if in.Payload < price {
			return errTooLittle
		}
		return nil
	}}
	d, err := fsm.Compile(fsm.Spec[state, event, count, worth]{Name: "turnstile", Regions: []fsm.Region[state, event, count, worth]{{
		Name: "arm", Doc: "The arm.", Initial: locked,
		States: []fsm.State[state, event, count, worth]{
			{Name: locked, Kind: fsm.Parked, Doc: "Nobody passes."},
			{Name: unlocked, Kind: fsm.Parked, Doc: "One may pass."}},
		Events: []fsm.Event[event]{
			{Name: coin, Doc: "Someone pays.", Otherwise: "it is paid for"},
			{Name: push, Doc: "Someone passes.", Otherwise: "it is not paid for"}},
		Transitions: []fsm.Transition[state, event, count, worth]{
			{From: []state{locked}, Event: coin, To: unlocked, Guards: []fsm.Guard[event, count, worth]{enough},
				Update: func(c count, _ *input) count { c.coins++; return c }},
			{From: []state{unlocked}, Event: push, To: locked,
				Update: func(c count, _ *input) count { c.passages++; return c }}}}}})
	if err != nil {
		panic(err)
	}
	return d
}()

// agreed is the commit hook of all subjects: it looks at the move and lets it pass.
func agreed(epoch uint64) error {
	if epoch == 0 {
		return errIllegal
	}
	return nil
}

func engine() turnstile {
	return onEngine(options{Commit: func(m *move) error { return agreed(m.Epoch) }})
}

func engineObserved() turnstile {
	var last struct {
		move  move
		entry fsm.Entry
	}
	return onEngine(options{
		Commit:  func(m *move) error { return agreed(m.Epoch) },
		Perform: func(m *move) { last.move = *m },
		Journal: func(e *fsm.Entry) { last.entry = *e },
	})
}

func onEngine(o options) turnstile {
	now := time.Now()
	m := fsm.New(definition, "turnstile", count{}, now, o)
	return turnstile{
		pass:    alternately(func(e string) error { return fire(m, event(e), price, now) }),
		illegal: repeatedly(func() error { return fire(m, push, 0, now) }),
		guarded: repeatedly(func() error { return fire(m, coin, 1, now) }),
		read: func(n int) string {
			var seen state
			for range n {
				seen = m.Snapshot().Regions[0].State
			}
			return string(seen)
		},
		counted: func() count { return m.Snapshot().Data },
	}
}

// fire is small enough to be part of its caller: what is measured is the engine.
func fire(m *machine, e event, w worth, at time.Time) error {
	_, err := m.Fire(input{Event: e, Actor: fsm.Person, At: at, Payload: w})
	return err
}
