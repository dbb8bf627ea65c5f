package verify

import (
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

// fire gives the machine an event, as anybody in the process would, and does what
// the runtime does with the outcome: jobs are started and cancelled.
func (x *explorer) fire(w *world, in transitions.Input) error {
	if in.At.IsZero() {
		in.At = w.now()
	}
	if in.Actor == "" {
		in.Actor = fsm.Automatic
	}
	before, given := w.machine, in
	if x.options.ForgetEpoch == in.Event && in.Epoch != 0 {
		given.Epoch = w.machine.Region(x.home[in.Event]).Epoch
	}
	after, steps := x.step(before, given)
	x.fired++
	x.touch(&steps)
	w.machine = after
	x.checkStep(w, before, in, &steps)
	var late []transitions.Input
	for i := range steps.Moves {
		late = append(late, x.perform(w, &steps.Moves[i])...)
	}
	for _, in := range late {
		_ = x.fire(w, in)
	}
	x.giveTurns(w)
	for i := range steps.Moves {
		for _, event := range x.graph.Proposed(&steps.Moves[i]) {
			x.offer(w, event)
		}
	}
	return steps.Err
}

// step asks the engine. Only a survey reads its entries.
func (x *explorer) step(before *transitions.Snapshot, in transitions.Input) (*transitions.Snapshot, transitions.Steps) {
	if x.surveys {
		return x.graph.Step(before, in, nil)
	}
	return x.graph.Next(before, in)
}

// propose has the machine begin a login, or a grant, because a call needs it.
func (x *explorer) propose(w *world) {
	if event := transitions.Needed(&w.machine.Data); event != "" {
		x.offer(w, event)
	}
}

// offer fires what nobody asked for, as the runtime does.
func (x *explorer) offer(w *world, event transitions.Event) {
	before := w.machine
	defer func() { x.checkBegun(before, w) }()
	in := transitions.Input{Event: event}
	if event == transitions.LoginProposed {
		in.Flow = w.id("flow")
	}
	_ = x.fire(w, in)
}

func (x *explorer) perform(w *world, move *transitions.Move) (late []transitions.Input) {
	if move.Disposition != fsm.Moved {
		return nil
	}
	if move.Input.Event == transitions.LoginProposed {
		w.begins = append(w.begins, w.clock)
		x.checkBegin(w)
	}
	late = x.cancel(w, move.Region)
	if move.Job != "" {
		x.checkUsable(w, move.Job)
		w.jobs = append(w.jobs, job{
			name:   move.Job,
			region: move.Region,
			epoch:  move.Epoch,
			step:   first[move.Job],
			began:  &move.After.Data,
			cause:  move.Input.Event,
		})
	}
	return late
}

// id makes a name that nobody used before.
func (w *world) id(kind string) string {
	w.ids++
	return fmt.Sprintf("%s-%d", kind, w.ids)
}
