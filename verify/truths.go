package verify

import (
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// A state is a statement: that there is a token, that a page is shown, that a user
// is needed and why. untruth holds each to the data, the disk and the other region.
// It returns what does not hold, or "".
func (w *world) untruth() string {
	for _, r := range w.machine.Regions {
		if r.Kind == fsm.Working && !w.works(r.Region, r.Epoch) {
			return fmt.Sprintf("nothing works in %s", r.State)
		}
	}
	if text := w.credentialUntruth(); text != "" {
		return text
	}
	if text := w.phaseUntruth(); text != "" {
		return text
	}
	return w.connectionUntruth()
}

// works reports whether a job runs that will end the state.
func (w *world) works(region string, epoch uint64) bool {
	for i := range w.jobs {
		if w.jobs[i].region == region && w.jobs[i].epoch == epoch {
			return true
		}
	}
	return false
}

// phaseUntruth holds the phase to what a call can expect, and both to the clock: what has
// expired is noticed by a timer that is due.
func (w *world) phaseUntruth() string {
	serves, connected := transitions.OutlookOf(w.machine) == transitions.Serves,
		transitions.PhaseOf(w.machine) == states.Phase(states.Connected)
	if serves != connected {
		return "the phase is Connected where no request gets through, or is not where one does"
	}
	d := &w.machine.Data
	if !serves || d.Token == nil || d.TokenUsable(w.now()) {
		return ""
	}
	for _, timer := range w.machine.Region(states.Credential).Timers {
		switch timer.Event {
		case transitions.TokenLapsed, transitions.RenewDue, transitions.GrantRenewDue, transitions.ExpiryReached:
			if !timer.At.After(w.now()) {
				return ""
			}
		}
	}
	return "Connected with a token that has expired, and nothing takes notice"
}

func (w *world) credentialUntruth() string {
	d, state := &w.machine.Data, w.state(states.Credential)
	flow := d.FlowID != "" || d.Flow != nil
	switch state {
	case states.AwaitingBrowser, states.AwaitingDevice, states.ExchangingCode:
		if d.Flow == nil || !d.HasFlow(d.Flow.ID) {
			return fmt.Sprintf("%s without the record of its flow", state)
		}
	case states.LoginBackoff:
		if d.FlowID == "" || d.Code.IsZero() == (d.Flow != nil) {
			return "a login is to be tried again, without a flow, or without the code that came for it"
		}
		if text := w.delayUntruth(); text != "" {
			return text
		}
	case states.RequestingToken:
		if d.Flow == nil {
			return "a token is requested without knowing where"
		}
	case states.Discovering, states.Registering:
		if d.FlowID == "" && !d.Settings.Unattended {
			return fmt.Sprintf("%s without a flow", state)
		}
	default:
		if flow && state != states.Closed {
			return fmt.Sprintf("a flow is open in %s", state)
		}
	}
	switch place := w.place(); {
	case place.Is(transitions.Renewing) && !d.Token.HasRefresh():
		return fmt.Sprintf("%s without a refresh token", state)
	case place.Is(transitions.Renewing) && place.Is(transitions.Paced) && d.RefreshAttempts == 0 && d.Uncertain == nil:
		return "a refresh is to be tried again, and none was tried"
	}
	switch state {
	case states.Fresh:
		return w.freshUntruth()
	case states.GrantBackoff:
		if d.RefreshAttempts == 0 {
			return "a grant is to be tried again, and none was tried"
		}
	case states.LoginRequired:
		if d.Reason == "" || d.KeepsToken() {
			return "a login is required without a reason, or beside a token that nobody refused"
		}
	case states.Failed:
		if d.Reason == "" {
			return "the credential failed without a reason"
		}
	case states.LoggedOut:
		// What a write that hung for longer than its state puts there is met at the next start.
		known := w.disk.generation == d.Generation
		if d.Token != nil || known && !w.disk.logout && len(w.jobs) == 0 {
			return "logged out, and the disk does not say so or there is a token"
		}
	case states.Anonymous, states.NotNeeded, states.Unloaded, states.LoggingOut:
		if d.Token != nil {
			return fmt.Sprintf("a token in %s", state)
		}
	}
	return ""
}

// delayUntruth holds a delayed login to its two timers: its next attempt, and its end.
func (w *world) delayUntruth() string {
	attempts, ends := 0, 0
	for _, timer := range w.machine.Region(states.Credential).Timers {
		switch timer.Event {
		case transitions.LoginRetryDue, transitions.ExchangeRetryDue:
			attempts++
		case transitions.LoginTimedOut, transitions.LoginLapsed, transitions.OptionalLoginLapsed:
			ends++
		}
	}
	if attempts != 1 || ends != 1 {
		return fmt.Sprintf("a login is to be tried again, with %d next attempts and %d ends", attempts, ends)
	}
	return ""
}

func (w *world) freshUntruth() string {
	d := &w.machine.Data
	switch timers := w.machine.Region(states.Credential).Timers; {
	case d.Token == nil:
		return "a token is in use, and there is none"
	case d.Token.Generation != d.Generation:
		return "the token in use is not the newest"
	case d.Reason != "":
		return "a token is in use, and there is a reason why not"
	case (d.Token.HasRefresh() && d.Uncertain == nil || d.Settings.Unattended) && !timers[0].At.Before(d.Token.ExpiresAt) &&
		timers[0].At.After(w.now()):
		return "the token in use is not renewed ahead of its expiry"
	case timers[0].At.After(d.Token.ExpiresAt) && timers[0].At.After(w.now()):
		return "nothing happens when the token in use expires"
	}
	return ""
}

// offers are those in which a connection can be tried, refuses those in which none
// may be open or tried.
var (
	offers  = map[states.State]bool{states.NotNeeded: true, states.Anonymous: true, states.Fresh: true}
	refuses = map[states.State]bool{states.LoginRequired: true, states.LoggingOut: true, states.LoggedOut: true, states.Failed: true,
		states.Closed: true}
)

func (w *world) connectionUntruth() string {
	d, state, credential := &w.machine.Data, w.state(states.Connection), w.state(states.Credential)
	if text := regionsUntruth(state, credential); text != "" {
		return text
	}
	switch state {
	case states.Connecting, states.Connected:
		switch {
		case !w.works(states.Connection, w.machine.Region(states.Connection).Epoch):
			return fmt.Sprintf("nobody listens in %s", state)
		case state == states.Connected && d.Attempts != 0:
			return "attempts are counted while connected"
		}
	case states.AwaitingCredential:
		if w.place().Is(transitions.Obtaining) && (d.TokenUsable(w.now()) || d.WorksWithout()) {
			return fmt.Sprintf("the connection waits in %s beside what works", credential)
		}
	case states.AwaitingLogin:
		if offers[credential] && len(d.Scopes) == 0 {
			return fmt.Sprintf("the connection waits for a login, and the credential is %s", credential)
		}
	case states.BackingOff:
		if d.Attempts == 0 {
			return "an attempt is to be made again, and none was made"
		}
	case states.Disconnected:
		if w.wanted {
			return "disconnected, and nobody asked for that"
		}
	}
	return ""
}

// regionsUntruth holds the states of the regions to each other, whatever the data.
func regionsUntruth(connection, credential states.State) string {
	switch connection {
	case states.Connecting, states.Connected, states.ConnectQueued:
		if refuses[credential] {
			return fmt.Sprintf("%s while the credential is %s", connection, credential)
		}
	case states.AwaitingCredential:
		if kind := declared.kinds[placeKey{states.Credential, credential}]; kind == fsm.Parked || kind == fsm.Final ||
			credential == states.Fresh {
			return fmt.Sprintf("the connection waits for a credential that is %s", credential)
		}
	case states.BackingOff:
		if refuses[credential] && credential != states.LoggingOut {
			return fmt.Sprintf("an attempt is to be made again, and the credential is %s", credential)
		}
	case states.Closed:
		if credential != states.Closed && !transitions.Is(states.Credential, credential, transitions.Finishing) {
			return fmt.Sprintf("closed, and the credential is %s", credential)
		}
	}
	if credential == states.Closed && connection != states.Closed {
		return "the credential is closed alone"
	}
	return ""
}

// checkRequest judges what became of what a user asked for.
func (x *explorer) checkRequest(w *world, before *transitions.Snapshot, in transitions.Input, steps *transitions.Steps) {
	credential, was := w.state(states.Credential), before.Region(states.Credential).State
	asked := request{event: in.Event, was: was, credential: credential, connection: w.state(states.Connection), refused: steps.Err != nil,
		kept: w.keeps(in.Event) || in.Event == transitions.LoginRequested && before.Data.Settings.Problem != ""}
	granted := asked.granted()
	switch in.Event {
	case transitions.CodeReceived, transitions.LoginDenied, transitions.LoginFailed, transitions.LoginAbandoned,
		transitions.OptionalLoginEnded:
		open := before.Data.HasFlow(in.Flow)
		if !open && len(steps.Moves) > 0 {
			x.violated(oneFlow, "%s of a login that is over was %s", in.Event, steps.Outcome.Disposition)
		}
		if open && was == states.AwaitingBrowser && in.Event == transitions.CodeReceived {
			granted = credential == states.ExchangingCode
		} else if open && canBeGivenUp(was) && in.Event != transitions.CodeReceived {
			granted = !transitions.Is(states.Credential, credential, transitions.LoginOpen)
		}
	}
	if !granted {
		x.violated(personDecides, "%s in %s was %s, and led to %s", in.Event, was, steps.Outcome.Disposition, credential)
	}
}

// request is what became of a user's request: where the credential was, and where both
// regions are when all that it caused is done. kept: it waits until it can be done, or the
// configuration does not let it.
type request struct {
	event                       transitions.Event
	was, credential, connection states.State
	refused, kept               bool
}

func (r request) granted() bool {
	open := transitions.Is(states.Credential, r.credential, transitions.LoginOpen)
	switch r.event {
	case transitions.LoginCancelled:
		return !canBeGivenUp(r.was) || !open
	case transitions.LoginRequested:
		return (!transitions.Is(states.Credential, r.was, transitions.LoginOpen) || !r.refused) && open ||
			r.kept || r.was == states.NotNeeded || r.was == states.Unloaded || r.was == states.Closed
	case transitions.LogoutRequested:
		return r.credential == states.LoggingOut || r.credential == states.LoggedOut || r.kept || r.was == states.NotNeeded ||
			r.was == states.Closed
	case transitions.RetryRequested:
		return !(r.was == states.Failed || transitions.Is(states.Credential, r.was, transitions.Paced)) || r.credential != r.was
	case transitions.Connect:
		return r.connection != states.Disconnected && r.connection != states.Failed && r.connection != states.BackingOff
	case transitions.Disconnect:
		return r.connection == states.Disconnected
	}
	return true
}

// canBeGivenUp reports whether a state is one of a login that has sent no one-time secret.
func canBeGivenUp(s states.State) bool {
	return transitions.Is(states.Credential, s, transitions.LoginOpen) && !transitions.Is(states.Credential, s, transitions.Finishing)
}

// keeps reports whether an event was postponed.
func (w *world) keeps(event transitions.Event) bool {
	for _, kept := range w.machine.Postponed() {
		if kept == event {
			return true
		}
	}
	return false
}
