package transitions

import (
	"time"

	"mcpproxy/states"
)

// Outlook is what a call can expect of an upstream.
type Outlook string

// The outlooks.
const (
	// Serves: the request can be sent now.
	Serves Outlook = "serves"
	// OnItsWay: the machine is getting there by itself; wait for its next state.
	OnItsWay Outlook = "on its way"
	// NeedsPerson: only a user can help, or the login that the machine may begin
	// by itself where it is allowed to (LoginProposed, GrantDue).
	NeedsPerson Outlook = "needs a user"
	// RenewalFails: the token has expired and its renewal has failed repeatedly.
	RenewalFails Outlook = "renewal fails"
	// Unwanted: someone disconnected it.
	Unwanted Outlook = "disconnected"
	// Broken: trying again by itself would not help.
	Broken Outlook = "failed"
	// Gone: the upstream was closed.
	Gone Outlook = "closed"
)

// PhaseOf is the one word for a snapshot. It is Connected exactly where the outlook is
// [Serves]: both are functions of what the machine knows, and of no clock.
func PhaseOf(s *Snapshot) states.Phase {
	return PhaseOfStates(s.Region(states.Connection).State, s.Region(states.Credential).State, s.Data.Works())
}

// OutlookOf is what a call that is made now can expect. It is a pure function of
// the snapshot: callers decide by it and remember nothing.
func OutlookOf(s *Snapshot) Outlook {
	connection, credential := s.Region(states.Connection).State, s.Region(states.Credential).State
	switch {
	case connection == states.Connected && s.Data.Works():
		return Serves
	case connection == states.Closed:
		return Gone
	case connection == states.Disconnected:
		return Unwanted
	case connection == states.Failed, credential == states.Failed && s.Data.Reason == states.EntryInvalid:
		return Broken
	case renewalFails(s, credential) && !s.Data.TokenWorks():
		return RenewalFails
	case connection == states.AwaitingLogin && credential == states.Fresh && len(s.Data.Scopes) > 0:
		return NeedsPerson
	case connection == states.Connected && WaitsForPerson(s):
		return NeedsPerson
	case connection == states.Connected || connection == states.BackingOff || connection == states.ConnectQueued ||
		connection == states.Connecting:
		return OnItsWay
	case WaitsForPerson(s), Is(states.Credential, credential, NeedsUser), credential == states.Failed:
		return NeedsPerson
	}
	return OnItsWay
}

// renewalFails reports whether a token's renewal has failed for longer than a call waits.
func renewalFails(s *Snapshot, credential states.State) bool {
	switch {
	case Is(states.Credential, credential, Failing):
		return true
	case credential == states.GrantBackoff:
		return s.Data.FailsFor(s.Data.RefreshTried) >= s.Data.Settings.RefreshBudget
	}
	return false
}

// WaitsForPerson reports whether the credential's state is a login that a user
// has to complete and that the machine did not begin by itself.
func WaitsForPerson(s *Snapshot) bool {
	return s.Region(states.Credential).Is(LoginOpen) && !s.Data.Settings.AutomaticLogin && !s.Data.Settings.Unattended
}

// Settled reports whether it is clear how a call goes on that met a 401 about
// generation: what renews that token has come to an end.
func Settled(s *Snapshot, generation uint64) bool {
	switch credential := s.Region(states.Credential); {
	case credential.Is(Renewing) && !credential.Is(Failing), credential.State == states.LoadingToken:
		return false
	case credential.State == states.Fresh:
		return s.Data.Token != nil && s.Data.Token.Generation != generation
	}
	return true
}

// OwnLoginAt is from when on the machine may begin a login by itself: the guards of
// LoginProposed, with their limit, as a time. It is zero where no login is missing or
// only a user may begin one.
func OwnLoginAt(s *Snapshot, now time.Time) time.Time {
	d := &s.Data
	missing := s.Region(states.Credential).State == states.LoginRequired || s.Region(states.Credential).State == states.Fresh &&
		scopesMissing.Check(*d, &Input{At: now}) == nil
	if !missing || !d.Settings.AutomaticLogin {
		return time.Time{}
	}
	at := now
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	if !d.ProposedAt.IsZero() {
		later(d.ProposedAt.Add(d.Settings.BrowserInterval))
	}
	if recent := d.RecentProposals(now); len(recent) >= d.Settings.BrowserBudget && len(recent) > 0 {
		later(recent[len(recent)-max(d.Settings.BrowserBudget, 1)].Add(time.Hour))
	}
	return at
}

// Outlooks returns all outlooks.
func Outlooks() []Outlook {
	return []Outlook{Serves, OnItsWay, NeedsPerson, RenewalFails, Unwanted, Broken, Gone}
}
