package upstream

import (
	"context"
	"errors"
	"fmt"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// exchange redeems the authorization code, once, and puts the token on disk.
func (u *Upstream) exchange(ctx context.Context, order transitions.Order) transitions.Input {
	data := &order.Snapshot.Data
	flow := data.Flow
	generation := data.Generation + 1
	p := proofs{order: order}
	token, err := oauth.Exchange(p.context(context.WithoutCancel(ctx)), u.authorization, *flow, order.Cause.Payload.Code, generation)
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
		in.Event, in.Payload = transitions.TokenUnsaved, transitions.Payload{Err: fmt.Errorf("a token was obtained, but could not be written to the store: %w", err)}
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
	u.eraseFlow(flow.ID)
	err = oauth.Advise(err, flow.Registration, flow.TokenEndpoint, flow.Scopes)
	if class, _ := classOf(err); class != oauth.InvalidClient {
		return u.loginEnd(order, transitions.ExchangeRejected, states.ExchangeFailed, err)
	}
	return u.clientLost(order, flow, err)
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
