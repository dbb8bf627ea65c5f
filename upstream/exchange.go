package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// exchange redeems the authorization code, and puts the token on disk. The code is sent
// again only where the authorization server is known not to have spent it.
func (u *Upstream) exchange(ctx context.Context, order transitions.Order) transitions.Input {
	data := &order.Snapshot.Data
	flow := data.Flow
	generation := data.Generation + 1
	p := proofs{order: order}
	token, err := oauth.Exchange(p.context(context.WithoutCancel(ctx)), u.authorization, *flow, data.Code, generation)
	if err != nil {
		return u.exchangeFailed(order, flow, err)
	}
	in := u.keepObtained(ctx, &p, token, transitions.CodeExchanged)
	if in.Event != transitions.CodeExchanged {
		u.eraseFlow(flow.ID)
	}
	return in
}

// keepObtained puts the token of a login or grant on disk, in place of the one that
// it began with, and returns the outcome: done, or why not.
func (u *Upstream) keepObtained(ctx context.Context, p *proofs, token credential.Token, done transitions.Event) transitions.Input {
	order := &p.order
	token.Grant = string(u.config.OAuth.Grant.named())
	if flow := order.Snapshot.Data.Flow; token.ClientID != "" && flow != nil {
		token.ClientSource = flow.Registration.Source
	}
	err := u.keepTrying(ctx, "the token of a login", func() error {
		return u.environment.Store.SaveToken(u.config.Name, token, order.Snapshot.Data.Generation, u.wants(*order))
	})
	in := transitions.Input{Event: done, Flow: order.Snapshot.Data.FlowID, Payload: transitions.Payload{Token: &token, Nonce: p.next}}
	switch {
	case errors.Is(err, store.ErrGeneration):
		in.Event, in.Payload = transitions.TokenSuperseded, transitions.Payload{Err: err}
	case err != nil:
		in = u.brokenOff(*order, transitions.TokenUnsaved, states.StoreFailed, fmt.Errorf("a token was obtained, but could not be "+
			"written to the store: %w", err))
	}
	return in
}

// eraseFlow takes the record of a login whose code is spent off the disk.
func (u *Upstream) eraseFlow(id string) {
	if err := u.environment.Store.DeleteFlow(u.config.Name, id); err != nil {
		u.logger.Error("the record of a login that is over could not be erased", "flow", id, "error", err)
	}
}

func (u *Upstream) exchangeFailed(order transitions.Order, flow *credential.Flow, err error) transitions.Input {
	// Its page has been completed: what is left of the login is in the machine.
	u.eraseFlow(flow.ID)
	if unspent(err) {
		if in, ok := u.delayed(err); ok {
			return in
		}
	}
	err = oauth.Advise(err, flow.Registration, flow.TokenEndpoint, flow.Scopes)
	if class, _ := classOf(err); class != oauth.InvalidClient {
		return u.loginEnd(order, transitions.ExchangeRejected, states.ExchangeFailed, err)
	}
	return u.clientLost(order, flow, err)
}

// unspent reports whether a request that failed is known not to have been carried out:
// it did not reach the server, or the server answered that it cannot now. A gateway's 502
// or 504 does not say what became of it.
func unspent(err error) bool {
	var failure *oauth.Error
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusTooEarly:
		return failure.Class == oauth.Transient
	}
	return failure.Class == oauth.NotSent || failure.Class == oauth.Transient &&
		(failure.Code == "temporarily_unavailable" || failure.Code == "slow_down")
}

// delayed is the outcome of a login's step that the authorization server could not take
// now: another attempt follows, unless the login's deadline comes first.
func (u *Upstream) delayed(err error) (transitions.Input, bool) {
	data, now := &u.Snapshot().Data, time.Now()
	_, asked := classOf(err)
	begun := data.LoginBy.Add(-data.Settings.LoginDeadline)
	in := event(transitions.LoginDelayed, err)
	in.Flow = data.FlowID
	in.Payload.Plan(now, asked, spread(transitions.AttemptPause(now.Sub(begun), 0)))
	return in, !u.config.OAuth.Grant.Unattended() && in.Payload.RetryAt.Before(data.LoginBy)
}

// clientLost is the end of a login whose client the authorization server does not take.
func (u *Upstream) clientLost(order transitions.Order, flow *credential.Flow, err error) transitions.Input {
	refused := u.clientRefused(flow.Registration, err)
	reason := states.ClientRejected
	if refused.Event == transitions.ClientForgotten {
		reason = states.ClientForgotten
	}
	return u.loginEnd(order, refused.Event, reason, refused.Payload.Err)
}
