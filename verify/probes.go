package verify

import (
	"errors"
	"fmt"

	"mcpproxy/credential"
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
// with all outcomes once, and each class of worlds with the others (see [seen]).
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
	x.probeUnbound(w)
	x.probeTimers(w)
	x.probeOffers(w)
	if !x.search.seen.probed[w.pair()] {
		x.probeOutcomes(w)
		x.probeEverything(w)
	}
	return x.violation
}

// onlyPerson are what only a user may ask for.
var onlyPerson = []transitions.Event{transitions.LoginRequested, transitions.LogoutRequested, transitions.RetryRequested,
	transitions.LoginCancelled}

// probeOffers makes each request that the declaration offers the user.
func (x *explorer) probeOffers(w *world) {
	if w.stopping() {
		return // nothing is shown of it any more
	}
	if w.place().Is(transitions.Paced) {
		if _, steps := x.try(w, transitions.Input{Event: transitions.RetryRequested, Actor: fsm.Person}); steps.Outcome.Disposition != fsm.Moved {
			x.violated(personDecides, "a user cannot have the next attempt made now: it was %s", steps.Outcome.Disposition)
		}
	}
	for _, offered := range x.graph.Offered(w.machine) {
		request := transitions.RequestOf(transitions.Event(offered.Event))
		fired := request.Expand(x.graph, w.machine)
		if fired[0] == transitions.CredentialDemanded {
			continue // it is clear only when the store has been read
		}
		in := transitions.Input{Event: fired[len(fired)-1], Actor: fsm.Person, Flow: w.machine.Data.FlowID}
		if _, steps := x.try(w, in); steps.Outcome.Disposition.Refused() || steps.Outcome.Disposition == fsm.Ignored {
			x.violated(offersHold, "%q is offered, and %s was %s", offered.Doc, in.Event, steps.Outcome.Disposition)
		}
	}
}

// probeTokens says things of tokens that are not, or no longer, the current one.
func (x *explorer) probeTokens(w *world) {
	current := generationOf(w.machine.Data.Token)
	for _, event := range []transitions.Event{transitions.TokenAccepted, transitions.TokenRefused, transitions.TokenRejected,
		transitions.ScopeInsufficient, transitions.NonceDemanded} {
		x.changesNothing(w, currentToken, transitions.Input{Event: event, Payload: transitions.Payload{Generation: current + 7}})
	}
	if current != 0 && !w.machine.Data.Token.HasRefresh() && w.state(states.Credential) == states.Fresh {
		x.changesNothing(w, currentToken, transitions.Input{Event: transitions.TokenRefused, Payload: transitions.Payload{Generation: current}})
	}
}

// probeUnbound demands nonces of a machine whose token is bound to no key.
func (x *explorer) probeUnbound(w *world) {
	if w.machine.Data.Token == nil {
		return
	}
	unbound, token := *w.machine, *w.machine.Data.Token
	token.Key = credential.Secret{}
	unbound.Data.Token, unbound.Data.Flow = &token, nil
	bare := *w
	bare.machine = &unbound
	x.changesNothing(&bare, currentToken, transitions.Input{Event: transitions.NonceDemanded,
		Payload: transitions.Payload{Generation: token.Generation}})
	x.changesNothing(&bare, currentToken, transitions.Input{Event: transitions.TokenNonceDemanded,
		Epoch: w.machine.Region(states.Credential).Epoch})
}

// probeOutcomes gives the machine every event of a job or timer with the epoch of an
// entry that is over, and with none.
func (x *explorer) probeOutcomes(w *world) {
	for _, event := range outcomes {
		in := transitions.Input{Event: event, Flow: w.machine.Data.FlowID,
			Payload: transitions.Payload{Token: w.machine.Data.Token, Flow: w.machine.Data.Flow}}
		x.isStale(w, in)
		in.Epoch = overEpoch
		if x.options.ForgetEpoch == event {
			in.Epoch = w.machine.Region(x.home[event]).Epoch
		}
		x.isStale(w, in)
	}
}

// probeEverything gives the machine every event there is, also those that nothing in the
// model brings about there, and judges where it leads and what is kept. Its data are
// completed, so that what guards look for is there.
func (x *explorer) probeEverything(w *world) {
	machine := *w.machine
	d := &machine.Data
	secret := credential.NewSecret("probe")
	d.Token = &credential.Token{
		Generation: d.Generation + 1,
		Access:     secret,
		Refresh:    secret,
		ObtainedAt: w.now(),
		ExpiresAt:  w.now().Add(tick),
	}
	if d.Flow == nil || d.FlowID == "" {
		d.Flow, d.FlowID = &credential.Flow{ID: "probe"}, "probe"
	}
	complete := *w
	complete.machine = &machine
	for _, event := range x.events {
		in := transitions.Input{Event: event, Actor: fsm.Person, Flow: d.FlowID, Payload: transitions.Payload{
			Generation: d.Token.Generation, Token: d.Token, Flow: d.Flow, Intent: &credential.Intent{ID: "probe", Generation: d.Token.Generation}}}
		if !x.bound[event] {
			x.means(&complete, in)
		}
		in.Actor, in.Epoch = fsm.Automatic, machine.Region(x.home[event]).Epoch
		x.means(&complete, in)
	}
	x.probeGuards(&complete)
	x.probeChallenge(w)
	x.probePatience(w)
	x.probeCrash(w)
}

// probeChallenge has a server that went on without a token ask for one while a login is
// open: from then on no request is sent without one.
func (x *explorer) probeChallenge(w *world) {
	if !w.machine.Region(states.Credential).Is(transitions.LoginOpen) {
		return
	}
	optional := *w.machine
	optional.Data.Token, optional.Data.LoginNeeded = nil, false
	asked := *w
	asked.machine = &optional
	if after, _ := x.try(&asked, transitions.Input{Event: transitions.Challenged}); after.Data.WorksWithout() {
		x.violated(callsMove, "a request without a token was refused, and the next one is sent without one too")
	}
}

// probePatience has calls ask for an attempt right after one: they may cause none.
func (x *explorer) probePatience(w *world) {
	tried := *w.machine
	tried.Data.RefreshTried, tried.Data.ConnectTried = w.now(), w.now()
	just := *w
	just.machine = &tried
	for _, event := range []transitions.Event{transitions.TokenWanted, transitions.ConnectionWanted} {
		x.changesNothing(&just, boundedRefreshes, transitions.Input{Event: event})
	}
}

func (x *explorer) means(w *world, in transitions.Input) {
	after, steps := x.try(w, in)
	for i := range steps.Moves {
		if text := toldBy(&steps.Moves[i]).mistaken(); text != "" {
			x.violated(eventsMean, "%s", text)
		}
	}
	if steps.Outcome.Disposition == fsm.Postponed {
		x.checkKept(after)
	}
}

// probeGuards asks for what the configuration does not allow, for a login that nothing
// needs, and speaks of a login that is over.
func (x *explorer) probeGuards(w *world) {
	epoch := w.machine.Region(states.Credential).Epoch
	if !w.machine.Data.Settings.Unattended {
		for _, event := range []transitions.Event{transitions.GrantRenewDue, transitions.ClientIdentified} {
			x.changesNothing(w, personDecides, transitions.Input{Event: event, Epoch: epoch,
				Payload: transitions.Payload{Flow: w.machine.Data.Flow}})
		}
	}
	if w.state(states.Credential) == states.Fresh && len(w.machine.Data.Scopes) == 0 {
		x.changesNothing(w, personOpens, transitions.Input{Event: transitions.LoginProposed, Flow: "proposed"})
	}
	for _, event := range []transitions.Event{transitions.CodeReceived, transitions.LoginDenied, transitions.LoginFailed,
		transitions.LoginAbandoned, transitions.OptionalLoginEnded} {
		for _, of := range []uint64{0, epoch} {
			x.changesNothing(w, oneFlow, transitions.Input{Event: event, Actor: fsm.Person, Epoch: of, Flow: "long over"})
		}
	}
	if finished := w.state(states.Credential); finished == states.ExchangingCode || finished == states.RequestingToken {
		for _, event := range []transitions.Event{transitions.LoginAbandoned, transitions.OptionalLoginEnded} {
			x.changesNothing(w, onlyFinished, transitions.Input{Event: event, Actor: fsm.Person, Flow: w.machine.Data.FlowID})
		}
	}
}

// probeCrash ends the credential's job by a crash, which is not explored of every job.
func (x *explorer) probeCrash(w *world) {
	after, steps := x.try(w, transitions.Input{Event: transitions.JobCrashed, Epoch: w.machine.Region(states.Credential).Epoch})
	if len(steps.Moves) == 0 {
		return
	}
	crashed := *w
	crashed.machine = after
	if text := crashed.credentialUntruth(); text != "" {
		x.violated(truthful, "%s after a crash", text)
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
	return x.graph.Next(w.machine, in)
}
