package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
)

// load reads the credential from the store and says which of the declared cases
// it is.
func (u *Upstream) load(_ context.Context, order transitions.Order) transitions.Input {
	if !u.config.usesOAuth() {
		return transitions.Input{Event: transitions.CredentialNotNeeded}
	}
	stored, err := u.environment.Store.Load(u.config.Name)
	switch {
	case errors.Is(err, store.ErrCorrupt):
		return event(transitions.StoreCorrupt, err)
	case err != nil:
		return event(transitions.StoreFailed, err)
	}
	return u.classify(stored, time.Now())
}

// classify turns what is stored into the event that it is.
func (u *Upstream) classify(stored store.Credential, now time.Time) transitions.Input {
	token := stored.Token
	if token != nil && !u.mayUse(token) {
		u.logger.Warn("the stored token belongs to another server or issuer than the configuration names now; it is not used",
			"resource", token.Resource, "issuer", token.Issuer)
		token = nil
	}
	in := transitions.Input{Payload: transitions.Payload{Token: token, Generation: stored.Generation}}
	switch flow := stored.Flow; {
	case flow != nil && now.Before(flow.Deadline) && u.onServer(flow.Resource):
		in.Event, in.Flow, in.Payload.Flow = transitions.FlowOpen, flow.ID, flow
		if !flow.DeviceCode.IsZero() {
			in.Event = transitions.DeviceFlowOpen
		}
	case stored.Logout != nil:
		in.Event = transitions.LoggedOutMark
	case token == nil:
		in.Event = transitions.TokenMissing
	case stored.Intent != nil && token.HasRefresh():
		in.Payload.Intent = stored.Intent
		in.Event = uncertain(token.UsableAt(now))
		in.Payload.Err = uncertainError(stored.Intent)
	case token.UsableAt(now):
		in.Event = transitions.TokenUsable
	case token.HasRefresh():
		in.Event = transitions.TokenExpired
	default:
		in.Event = transitions.TokenSpent
		in.Payload.Err = fmt.Errorf("the access token expired at %s and there is no refresh token", token.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return in
}

func uncertain(usable bool) transitions.Event {
	if usable {
		return transitions.TokenUncertain
	}
	return transitions.RefreshUncertain
}

func uncertainError(intent *credential.Intent) error {
	return fmt.Errorf("a refresh was sent at %s and its answer never arrived, so the refresh token may have been replaced at the authorization server; it is tried once more when the access token no longer works",
		intent.StartedAt.UTC().Format(time.RFC3339))
}

// mayUse reports whether a stored token is for the configured server and, where
// the configuration names one, issuer: the configuration may have changed.
func (u *Upstream) mayUse(token *credential.Token) bool {
	if u.config.OAuth.Issuer != "" && token.Issuer != u.config.OAuth.Issuer {
		return false
	}
	if u.config.OAuth.ClientID != "" && token.ClientID != u.config.OAuth.ClientID {
		return false
	}
	return u.onServer(token.Resource)
}

// onServer reports whether a resource indicator speaks of the configured server.
func (u *Upstream) onServer(resource string) bool {
	if resource == "" {
		return true
	}
	r, err := url.Parse(resource)
	return err == nil && strings.EqualFold(r.Scheme+"://"+r.Host, u.config.origin())
}

// reasonOf is the reason that a failed refresh gives where an earlier one had no
// known outcome.
func reasonOf(d *states.Data) states.Reason {
	if d.Uncertain != nil {
		return states.RotationLost
	}
	return states.RefreshRejected
}
