package verify

import (
	"errors"
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// probing stands for the action of a probe: an event that is tried on a world without
// going on from what it makes of it.
const probing = -1

// probe tries events on a world that nothing in the model fires there and that must
// change nothing whenever they come: what the machine may not ask for, what speaks of
// an older token, outcomes of states that were left. Each pair of states is probed
// with all outcomes once, and with the others in every world.
func (x *explorer) probe(w *world) *Counterexample {
	x.violation = nil
	for _, event := range onlyPerson {
		x.changesNothing(w, personDecides, transitions.Input{Event: event, Actor: fsm.Automatic, Flow: w.machine.Data.FlowID})
	}
	if !w.machine.Data.Settings.AutomaticLogin {
		x.changesNothing(w, personDecides, transitions.Input{Event: transitions.LoginProposed, Flow: "proposed"})
	}
	if !w.machine.Data.Settings.Unattended {
		x.changesNothing(w, personDecides, transitions.Input{Event: transitions.GrantDue})
	}
	x.probeTokens(w)
	if at := (pair{w.state(states.Connection), w.state(states.Credential)}); !x.probed[at] {
		x.probed[at] = true
		x.probeOutcomes(w)
	}
	return x.violation
}

// onlyPerson are what only a person may ask for.
var onlyPerson = []transitions.Event{transitions.LoginRequested, transitions.LogoutRequested, transitions.RetryRequested, transitions.LoginCancelled}

// probeTokens says things of tokens that are not, or no longer, the current one.
func (x *explorer) probeTokens(w *world) {
	current := generationOf(w.machine.Data.Token)
	for _, event := range []transitions.Event{transitions.TokenAccepted, transitions.TokenRefused, transitions.TokenRejected, transitions.ScopeInsufficient} {
		x.changesNothing(w, currentToken, transitions.Input{Event: event, Payload: transitions.Payload{Generation: current + 7}})
	}
	if current != 0 && !w.machine.Data.Token.HasRefresh() && w.state(states.Credential) == states.Fresh {
		x.changesNothing(w, currentToken, transitions.Input{Event: transitions.TokenRefused, Payload: transitions.Payload{Generation: current}})
	}
}

// probeOutcomes gives the machine every event of a job or timer with the epoch of an
// entry that is over, and with none.
func (x *explorer) probeOutcomes(w *world) {
	for _, event := range outcomes {
		in := transitions.Input{Event: event, Flow: w.machine.Data.FlowID, Payload: transitions.Payload{Token: w.machine.Data.Token, Flow: w.machine.Data.Flow}}
		x.isStale(w, in)
		in.Epoch = overEpoch
		if x.options.ForgetEpoch == event {
			in.Epoch = w.machine.Region(x.home[event]).Epoch
		}
		x.isStale(w, in)
	}
}

// overEpoch is one that no entry of an explored machine has any more.
const overEpoch = 1 << 40

// outcomes are the events that must carry the epoch of the state that they are of.
var outcomes = boundEvents()

func boundEvents() []transitions.Event {
	var all []transitions.Event
	for _, r := range transitions.Declaration().Regions {
		for _, e := range r.Events {
			if e.Bound {
				all = append(all, e.Name)
			}
		}
	}
	return all
}

func (x *explorer) isStale(w *world, in transitions.Input) {
	if _, steps := x.try(w, in); !errors.Is(steps.Err, fsm.ErrStale) {
		x.violated(staleChangesNothing, "%s came with the epoch of no state that lasts, and was %s", in.Event, steps.Outcome.Disposition)
	}
}

func (x *explorer) changesNothing(w *world, invariant string, in transitions.Input) {
	if _, steps := x.try(w, in); len(steps.Moves) > 0 {
		x.violated(invariant, "%s (%s) was %s", in.Event, said(in), steps.Outcome.Disposition)
	}
}

func said(in transitions.Input) string {
	if in.Payload.Generation != 0 {
		return fmt.Sprintf("of generation %d", in.Payload.Generation)
	}
	return "by the " + string(in.Actor)
}

// try asks what the machine would make of an event.
func (x *explorer) try(w *world, in transitions.Input) (*transitions.Snapshot, transitions.Steps) {
	in.At = w.now()
	if in.Actor == "" {
		in.Actor = fsm.Automatic
	}
	after, steps := x.graph.Step(w.machine, in, nil)
	x.note(&steps)
	return after, steps
}
