package upstream

import (
	"context"
	"errors"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// awaitDevice polls for the answer of a user who enters a code on another
// device.
func (u *Upstream) awaitDevice(ctx context.Context, order transitions.Order) transitions.Input {
	flow := order.Snapshot.Data.Flow
	defer u.forgetFlow(flow.ID)
	if outcome := u.pollDevice(ctx, order, flow); outcome.Event != "" {
		// Said before the record is looked at: the login is over then.
		_, _ = order.Fire(outcome) // a refusal is in the journal
	}
	return nothing
}

func (u *Upstream) pollDevice(ctx context.Context, order transitions.Order, flow *credential.Flow) transitions.Input {
	u.reportShown(order, flow, states.Shown{How: states.CodeShown, Detail: flow.UserCode})
	generation, p := order.Snapshot.Data.Generation, proofs{order: order}
	for attempt := 0; ; attempt++ {
		token, err := oauth.AwaitDevice(p.context(ctx), u.authorization, *flow, generation+1)
		if err == nil {
			return u.keepObtained(ctx, &p, token, transitions.CodeExchanged)
		}
		class, pause := classOf(err)
		switch {
		case ctx.Err() != nil:
			return nothing
		case class == oauth.NotSent, class == oauth.Ambiguous, class == oauth.Transient, class == oauth.Moved:
			// The code stays good until its deadline, which is the state's.
		default:
			return u.deviceRefused(order, flow, err)
		}
		select {
		case <-ctx.Done():
			return nothing
		case <-time.After(max(pause, flow.PollInterval, nthPause(attempt, refreshPause, time.Minute))):
		}
	}
}

func (u *Upstream) deviceRefused(order transitions.Order, flow *credential.Flow, err error) transitions.Input {
	var answer *oauth.Error
	err = oauth.Advise(err, flow.Registration, flow.TokenEndpoint, flow.Scopes)
	if errors.As(err, &answer) && (answer.Code == "access_denied" || answer.Code == "authorization_declined") {
		return u.loginEnd(order, transitions.LoginDenied, states.LoginDenied, err)
	}
	if class, _ := classOf(err); class == oauth.InvalidClient {
		return u.clientLost(order, flow, err)
	}
	return u.loginEnd(order, transitions.LoginFailed, states.LoginFailed, err)
}

// beginDevice asks for a device code and puts the flow on disk.
func (u *Upstream) beginDevice(ctx context.Context, order transitions.Order, d *credential.Discovery, registration credential.Registration,
	request oauth.FlowRequest) transitions.Input {
	flow, err := oauth.NewDeviceFlow(ctx, u.authorization, *d, registration, request)
	if err != nil {
		return u.beginFailed(ctx, order, registration, oauth.Advise(err, registration, d.TokenEndpoint, oauth.SelectScopes(*d, request)))
	}
	return u.keepFlow(order, flow, transitions.DeviceCodeIssued)
}
