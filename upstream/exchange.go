package upstream

import (
	"context"
	"fmt"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// exchange redeems the authorization code, once, and puts the token on disk.
func (u *Upstream) exchange(ctx context.Context, order transitions.Order) transitions.Input {
	data := &order.Snapshot.Data
	flow := data.Flow
	generation := data.Generation + 1
	token, err := oauth.Exchange(context.WithoutCancel(ctx), u.environment.Authorization, *flow, order.Cause.Payload.Code, generation)
	if err != nil {
		return u.exchangeFailed(order, flow, err)
	}
	err = u.keepTrying(ctx, "the token of a login", func() error {
		return u.environment.Store.SaveToken(u.config.Name, token, data.Generation, u.wants(order))
	})
	if err != nil {
		u.eraseFlow(flow.ID)
		in := event(transitions.TokenUnsaved, fmt.Errorf("the login succeeded, but its token could not be written to the store: %w", err))
		in.Flow = flow.ID
		return in
	}
	return transitions.Input{Event: transitions.CodeExchanged, Flow: flow.ID, Payload: transitions.Payload{Token: &token}}
}

// eraseFlow takes the record of a login whose code is spent off the disk.
func (u *Upstream) eraseFlow(id string) {
	if err := u.environment.Store.DeleteFlow(u.config.Name, id); err != nil {
		u.logger.Error("the record of a login that is over could not be erased", "flow", id, "error", err)
	}
}

func (u *Upstream) exchangeFailed(order transitions.Order, flow *credential.Flow, err error) transitions.Input {
	u.eraseFlow(flow.ID)
	if class, _ := classOf(err); class != oauth.InvalidClient {
		return u.loginEnd(order, transitions.ExchangeRejected, states.ExchangeFailed, err)
	}
	refused := u.clientRefused(flow.Registration, err)
	reason := states.ClientRejected
	if refused.Event == transitions.ClientForgotten {
		reason = states.ClientForgotten
	}
	return u.loginEnd(order, refused.Event, reason, refused.Payload.Err)
}
