package verify

import (
	"fmt"
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// meaning is what an event says, as the states in which it is so.
type meaning struct {
	to []states.State
	// stays: it may be noted and change nothing but the data.
	stays bool
}

// meanings are those of all events. An event means the same in whatever state it
// comes: that a token is on disk leads to where it is used, that only a login helps to
// where one is asked for.
var meanings = func() map[transitions.Event]meaning {
	all := map[transitions.Event]meaning{}
	say := func(to states.State, events ...transitions.Event) {
		for _, e := range events {
			m := all[e]
			m.to = append(m.to, to)
			all[e] = m
		}
	}
	note := func(events ...transitions.Event) {
		for _, e := range events {
			m := all[e]
			m.stays = true
			all[e] = m
		}
	}
	for _, table := range []func(say func(states.State, ...transitions.Event), note func(...transitions.Event)){connectionMeanings,
		tokenMeanings, loginMeanings} {
		table(say, note)
	}
	return all
}()

func connectionMeanings(say func(states.State, ...transitions.Event), note func(...transitions.Event)) {
	// it is wanted, or not
	say(states.AwaitingCredential, transitions.Connect)
	say(states.Disconnected, transitions.Disconnect)
	// what the attempt needs is there; only a user gets it; it has to be asked for
	say(states.ConnectQueued, transitions.CredentialReady, transitions.SessionLost)
	say(states.AwaitingLogin, transitions.CredentialParked, transitions.Forbidden)
	say(states.AwaitingCredential, transitions.Unauthorized, transitions.ReconnectDue, transitions.ConnectionWanted,
		transitions.ConnectTurnOverdue)
	// nothing is tried before its turn
	say(states.Connecting, transitions.ConnectTurn)
	// how it ends; what is tried again is not tried again at once, for ever
	say(states.Connected, transitions.Handshaken)
	say(states.BackingOff, transitions.TransportFailed, transitions.ConnectTimedOut, transitions.CredentialOverdue)
	say(states.Failed, transitions.ProtocolFailed)
	// what the server need not have decides nothing
	note(transitions.PartFailed, transitions.PartRestored)
	say(states.Closed, transitions.ConnectionShutdown, transitions.CredentialShutdown)
}

func tokenMeanings(say func(states.State, ...transitions.Event), note func(...transitions.Event)) {
	// the store is asked, and asked again only for a reason
	say(states.LoadingToken, transitions.CredentialDemanded, transitions.ExpiryReached, transitions.TokenSuperseded,
		transitions.RetryRequested, transitions.RefreshTurnOverdue)
	note(transitions.CredentialDemanded)
	say(states.Anonymous, transitions.TokenMissing, transitions.OptionalLoginEnded, transitions.OptionalLoginLapsed)
	say(states.NotNeeded, transitions.CredentialNotNeeded)
	// there is a token to go on with
	say(states.Fresh, transitions.TokenUsable, transitions.TokenUncertain, transitions.Refreshed, transitions.RefreshTokenLost,
		transitions.CodeExchanged, transitions.TokenGranted, transitions.LoginLapsed, transitions.LoginAbandoned)
	// it has to be renewed; one that is refused while that is under way is noted
	say(states.Refreshing, transitions.RefreshTurn)
	say(states.RefreshQueued, transitions.TokenExpired, transitions.RefreshUncertain, transitions.RenewDue, transitions.RefreshRetryDue,
		transitions.TokenRefused, transitions.RetryRequested, transitions.TokenWanted)
	say(states.RefreshBackoff, transitions.RefreshFailed, transitions.RefreshRefused, transitions.EndpointGone, transitions.RefreshUncertain)
	say(states.RefreshPaused, transitions.RefreshExhausted, transitions.RefreshTimedOut)
	say(states.GrantBackoff, transitions.GrantFailed)
	note(transitions.TokenAccepted, transitions.TokenRefused, transitions.ScopeInsufficient, transitions.TokenLapsed, transitions.Challenged)
	// only a login helps, or not even that
	say(states.LoginRequired, transitions.TokenSpent, transitions.TokenRejected, transitions.Challenged, transitions.RefreshRejected,
		transitions.ClientForgotten)
	say(states.Failed, transitions.EntryInvalid, transitions.StoreCorrupt, transitions.StoreFailed, transitions.LoadTimedOut,
		transitions.TokenUnsaved, transitions.LogoutFailed,
		transitions.JobCrashed, transitions.ClientRejected, transitions.GrantRejected, transitions.Challenged)
	// a logout
	say(states.LoggingOut, transitions.LogoutRequested)
	say(states.LoggedOut, transitions.LogoutDone, transitions.LoggedOutMark)
}

func loginMeanings(say func(states.State, ...transitions.Event), note func(...transitions.Event)) {
	say(states.Discovering, transitions.LoginRequested, transitions.LoginProposed, transitions.GrantDue, transitions.GrantRenewDue,
		transitions.GrantRetryDue, transitions.RetryRequested, transitions.TokenWanted, transitions.LoginRetryDue)
	say(states.LoginBackoff, transitions.LoginDelayed)
	say(states.Registering, transitions.Discovered)
	say(states.AwaitingBrowser, transitions.Registered, transitions.FlowOpen, transitions.FlowBesideToken)
	say(states.AwaitingDevice, transitions.DeviceCodeIssued, transitions.DeviceFlowOpen, transitions.DeviceFlowBesideToken)
	say(states.ExchangingCode, transitions.CodeReceived, transitions.ExchangeRetryDue)
	say(states.RequestingToken, transitions.ClientIdentified)
	note(transitions.LoginRequested, transitions.BrowserShown) // its page is shown again
	// a request is sent once more, or the first of two is done
	note(transitions.NonceDemanded, transitions.TokenNonceDemanded, transitions.IdentityAsserted)
	say(states.LoginRequired, transitions.DiscoveryFailed, transitions.RegistrationFailed, transitions.ListenerFailed,
		transitions.LoginDenied, transitions.LoginFailed,
		transitions.LoginCancelled, transitions.LoginTimedOut, transitions.ExchangeRejected)
	say(states.Failed, transitions.NotOAuth, transitions.RegistrationRejected)
}

// only are the states from which alone an event leads to another, where that depends on
// what was going on when it came.
var only = map[transitions.Event]map[states.State][]states.State{
	transitions.CredentialDemanded: {states.LoadingToken: {states.Unloaded}},
	transitions.TokenRefused:       {states.RefreshQueued: {states.Fresh}},
	transitions.Challenged:         {states.LoginRequired: {states.Anonymous}, states.Failed: {states.NotNeeded}},
	transitions.TokenWanted:        {states.RefreshQueued: {states.RefreshPaused}, states.Discovering: {states.GrantBackoff}},
	transitions.RefreshUncertain:   {states.RefreshQueued: {states.LoadingToken}, states.RefreshBackoff: {states.Refreshing}},
	transitions.RetryRequested: {states.RefreshQueued: {states.RefreshBackoff, states.RefreshPaused},
		states.Discovering:  {states.GrantBackoff},
		states.LoadingToken: {states.Failed}},
}

// told is an accepted event as a move of the search and an entry of a journal both tell it.
type told struct {
	event    transitions.Event
	from, to states.State
	moved    bool
}

func toldBy(move *transitions.Move) told {
	return told{event: move.Input.Event, from: move.From, to: move.To, moved: move.Disposition == fsm.Moved}
}

// mistaken says why an event led where what it says is not so, or is empty.
func (s told) mistaken() string {
	m, from, meant := meanings[s.event], only[s.event], false
	if s.moved {
		meant = slices.Contains(m.to, s.to) && (from == nil || slices.Contains(from[s.to], s.from))
	} else {
		meant = m.stays
		for _, leads := range from {
			meant = meant && !slices.Contains(leads, s.from)
		}
	}
	if meant {
		return ""
	}
	return fmt.Sprintf("%s led from %s to %s", s.event, s.from, s.to)
}

// spends reports whether the event ended what has sent a one-time secret.
func (s told) spends() bool {
	return s.moved && (s.from == states.Refreshing || s.from == states.ExchangingCode)
}

// givesUp reports whether the event ended a login where nothing is sent any more. A crash is
// none here: the runtime says LoginAbandoned for one where something works.
func (s told) givesUp() bool {
	switch s.event {
	case transitions.LogoutRequested, transitions.JobCrashed:
		return false
	}
	return s.moved && transitions.Is(states.Credential, s.from, transitions.LoginOpen) && parks[s.to]
}

// mayBeKept reports whether an event may wait for the end of the credential's state.
func mayBeKept(event transitions.Event, credential states.State) bool {
	return requests[event] && (credential == states.LoadingToken || transitions.Is(states.Credential, credential, transitions.Finishing))
}

// requests are the events that may be kept until a state is left: what a user asked
// for, and the end of the process. What is news when it comes is old when the state is left.
var requests = map[transitions.Event]bool{transitions.LoginRequested: true, transitions.LogoutRequested: true,
	transitions.CredentialShutdown: true}
