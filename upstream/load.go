package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
)

// load reads the credential from the store and says which of the declared cases
// it is.
func (u *Upstream) load(_ context.Context, order transitions.Order) transitions.Input {
	if problem := order.Snapshot.Data.Settings.Problem; problem != "" {
		return event(transitions.EntryInvalid, errors.New(problem))
	}
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
	now := time.Now()
	if flow := stored.Flow; flow != nil && !now.Before(flow.Deadline) {
		// It has lapsed while nobody looked, and nobody will answer it.
		if flow.DeviceCode.IsZero() {
			u.doubt(&flow.Registration, true)
		}
		u.eraseFlow(flow.ID)
	}
	return u.classify(stored, now)
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
	flow := stored.Flow
	if flow != nil && !u.onServer(flow.Resource) {
		flow = nil
	}
	in.Event = transitions.LoadEnd(transitions.Stored{
		Token:     token,
		Flow:      flow,
		Intent:    stored.Intent,
		LoggedOut: stored.Logout != nil,
		Refused:   u.Snapshot().Data.Refused,
	}, now)
	switch in.Event {
	case transitions.FlowOpen, transitions.FlowBesideToken, transitions.DeviceFlowOpen, transitions.DeviceFlowBesideToken:
		in.Flow, in.Payload.Flow = flow.ID, flow
	case transitions.TokenUncertain, transitions.RefreshUncertain:
		in.Payload.Intent, in.Payload.Err = stored.Intent, uncertainError(stored.Intent)
	case transitions.LoggedOutMark:
		if stored.Logout.Alive != "" {
			in.Payload.Err = errors.New(stored.Logout.Alive)
		}
	case transitions.TokenSpent:
		in.Payload.Err = fmt.Errorf("the access token expired at %s and there is no refresh token", token.ExpiresAt.UTC().Format(time.RFC3339))
		remember(&in.Payload, stored.Verdict)
	case transitions.TokenMissing:
		remember(&in.Payload, stored.Verdict)
	}
	return in
}

// remember puts into the payload why there is no token that can be used.
func remember(p *transitions.Payload, why *credential.Verdict) {
	if why != nil {
		p.Reason, p.Err = states.Reason(why.Reason), errors.New(why.Text)
	}
}

func uncertainError(intent *credential.Intent) error {
	return fmt.Errorf("a refresh was sent at %s and its answer never arrived, so the refresh token may have been replaced at the "+
		"authorization server; it is tried once more when the access token no longer works",
		intent.StartedAt.UTC().Format(time.RFC3339))
}

// mayUse reports whether a stored token is for the configured server and, where
// the configuration names one, issuer: the configuration may have changed.
func (u *Upstream) mayUse(token *credential.Token) bool {
	if configured := &u.config.OAuth; configured.Issuer != "" && token.Issuer != configured.Issuer &&
		token.Issuer != configured.MetadataIssuer {
		return false
	}
	if u.config.OAuth.ClientID != "" && token.ClientID != u.config.OAuth.ClientID {
		return false
	}
	return u.onServer(token.Resource)
}

// onServer reports whether a resource indicator speaks of the configured server.
func (u *Upstream) onServer(resource string) bool {
	if resource == "" || resource == u.config.OAuth.Resource {
		return true
	}
	r, err := url.Parse(resource)
	return err == nil && u.isOrigin(r)
}
