package transitions

import (
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
)

// Stored is what the store holds about a credential.
type Stored struct {
	Token     *credential.Token
	Flow      *credential.Flow
	Intent    *credential.Intent
	LoggedOut bool
	// Refused is the newest generation that the resource server has refused since the
	// process started.
	Refused uint64
}

// LoadEnd says which of the declared cases a stored credential is.
func LoadEnd(stored Stored, now time.Time) Event {
	token := stored.Token
	works := token.UsableAt(now) && token.Generation != stored.Refused
	switch flow := stored.Flow; {
	case flow != nil && now.Before(flow.Deadline):
		return flowOpen(!flow.DeviceCode.IsZero(), works || token == nil && flow.Optional)
	case stored.LoggedOut:
		return LoggedOutMark
	case token == nil:
		return TokenMissing
	case stored.Intent != nil && token.HasRefresh():
		return Uncertain(works)
	case works:
		return TokenUsable
	case token.HasRefresh():
		return TokenExpired
	}
	return TokenSpent
}

func flowOpen(device, beside bool) Event {
	switch {
	case device && beside:
		return DeviceFlowBesideToken
	case device:
		return DeviceFlowOpen
	case beside:
		return FlowBesideToken
	}
	return FlowOpen
}

// Uncertain is the event of a refresh whose outcome nobody knows: the access token
// is used while it works, and otherwise the refresh token is sent once more.
func Uncertain(usable bool) Event {
	if usable {
		return TokenUncertain
	}
	return RefreshUncertain
}

// RefreshFailure is what is known about a refresh that brought no token.
type RefreshFailure string

// The failures.
const (
	// NotUsed: the authorization server did not use the refresh token.
	NotUsed RefreshFailure = "not used"
	// NoAnswer: it may have.
	NoAnswer RefreshFailure = "no answer"
	// Refused: it refused the attempt in words that do not say what about. Nobody knows
	// whether the refresh token is over; it is where that goes on.
	Refused RefreshFailure = "refused"
	// NoEndpoint: there is no token endpoint where it was, so that nothing was used.
	NoEndpoint RefreshFailure = "no endpoint"
	// AnswerLost: it used the refresh token, and its answer holds no token.
	AnswerLost RefreshFailure = "answer lost"
	// GrantRefused: it does not take the refresh token any more (invalid_grant).
	GrantRefused RefreshFailure = "grant refused"
)

// RefreshEnd is the event that a failed refresh is. began is the data with which
// it began, usable whether requests may still be sent with the access token at now.
func RefreshEnd(failure RefreshFailure, began *states.Data, usable bool, now time.Time) Event {
	switch {
	case failure == NoEndpoint:
		return EndpointGone
	case failure == Refused && began.Uncertain == nil && began.Refusals+1 < began.Settings.RefreshAttempts:
		return RefreshRefused
	case failure == NotUsed && !usable && began.FailsFor(now) >= began.Settings.RefreshBudget:
		return RefreshExhausted
	case failure == NotUsed:
		return RefreshFailed
	case failure != NoAnswer && usable:
		return RefreshTokenLost
	case failure == NoAnswer && began.Uncertain == nil:
		return Uncertain(usable)
	}
	return RefreshRejected
}

// AttemptPause is the pause between two attempts that have failed for so long: a second
// within the budget, which is for as long as someone is likely to wait, and then a tenth
// of the time.
func AttemptPause(failing, budget time.Duration) time.Duration {
	if failing < budget {
		return hurriedPause
	}
	return min(max(failing/10, hurriedPause), 5*time.Minute)
}

// RefreshPause is the pause after an attempt to renew that failed at now.
func RefreshPause(d *states.Data, now time.Time) time.Duration {
	budget := d.Settings.RefreshBudget
	if d.TokenUsable(now) {
		budget = 0 // nobody waits; the end of the token will hurry it
	}
	return AttemptPause(d.FailsFor(now), budget)
}

// MayConnectAt is when a call may cause the next attempt to connect.
func MayConnectAt(d *states.Data) time.Time {
	if at := d.ConnectTried.Add(wantedPause); at.After(d.ConnectNotBefore) {
		return at
	}
	return d.ConnectNotBefore
}

// LoginEnd returns the event that ends the open login without a token, and leads back to
// where it was: LoginAbandoned where the earlier token is left, OptionalLoginEnded where
// the server goes on without one, or was never asked and has no login, and failed where
// nothing is left to go on with.
func LoginEnd(d states.Data, failed Event) Event {
	switch {
	case d.KeepsToken():
		return LoginAbandoned
	case d.FlowID == "": // an attempt of a grant that goes on by itself
	case d.WorksWithout(), d.Token == nil && d.Reason == "" && failed == NotOAuth:
		return OptionalLoginEnded
	}
	return failed
}

// lapseEnd is LoginEnd for a login whose deadline has come.
func lapseEnd(d *states.Data) Event {
	switch {
	case d.KeepsToken():
		return LoginLapsed
	case d.WorksWithout():
		return OptionalLoginLapsed
	}
	return LoginTimedOut
}

// RefusalEnd is the event that a 401 is: about no token, about the current one, or
// about one that renewing does not help. A 401 about an older generation is none,
// and the empty event: the request is sent again with the current token.
func RefusalEnd(d *states.Data, generation uint64, now time.Time) Event {
	switch {
	case generation == 0:
		return Challenged
	case d.Token == nil || d.Token.Generation != generation:
		return ""
	case d.RefusalIsFinal(now) || !d.Token.HasRefresh():
		return TokenRejected
	}
	return TokenRefused
}

// TurnOf is the event that a state waits for whose jobs are limited in number over
// all upstreams; empty for others.
func TurnOf(s states.State) Event {
	switch s {
	case states.ConnectQueued:
		return ConnectTurn
	case states.RefreshQueued:
		return RefreshTurn
	}
	return ""
}
