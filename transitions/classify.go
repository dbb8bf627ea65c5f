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
}

// LoadEnd says which of the declared cases a stored credential is.
func LoadEnd(stored Stored, now time.Time) Event {
	token := stored.Token
	switch flow := stored.Flow; {
	case flow != nil && now.Before(flow.Deadline):
		return flowOpen(!flow.DeviceCode.IsZero(), token.UsableAt(now))
	case stored.LoggedOut:
		return LoggedOutMark
	case token == nil:
		return TokenMissing
	case stored.Intent != nil && token.HasRefresh():
		return Uncertain(token.UsableAt(now))
	case token.UsableAt(now):
		return TokenUsable
	case token.HasRefresh():
		return TokenExpired
	}
	return TokenSpent
}

func flowOpen(device, besideToken bool) Event {
	switch {
	case device && besideToken:
		return DeviceFlowBesideToken
	case device:
		return DeviceFlowOpen
	case besideToken:
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
	// AnswerLost: it used the refresh token, and its answer holds no token.
	AnswerLost RefreshFailure = "answer lost"
	// GrantRefused: it does not take the refresh token any more (invalid_grant).
	GrantRefused RefreshFailure = "grant refused"
)

// RefreshEnd is the event that a failed refresh is. began is the data with which
// it began, usable whether requests may still be sent with the access token.
func RefreshEnd(failure RefreshFailure, began *states.Data, usable bool) Event {
	switch {
	case failure == NotUsed && began.RefreshAttempts+1 >= began.Settings.RefreshAttempts:
		return RefreshExhausted
	case failure == NotUsed:
		return RefreshFailed
	case (failure == GrantRefused || failure == AnswerLost) && usable:
		return RefreshTokenLost
	case failure == NoAnswer && began.Uncertain == nil:
		return Uncertain(usable)
	}
	return RefreshRejected
}

// LoginEnd returns the event that ends the open login without a token: failed
// where nothing is left to go on with, LoginAbandoned where the earlier token is.
func LoginEnd(d states.Data, failed Event) Event {
	if d.KeepsToken() {
		return LoginAbandoned
	}
	return failed
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
