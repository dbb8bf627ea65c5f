package upstream

import (
	"context"
	"encoding/json"
	"time"

	"mcpproxy/relay"
	"mcpproxy/transitions"
)

// Call implements [relay.Upstream].
func (u *Upstream) Call(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	if u.environment.ObserveCall == nil {
		return u.call(ctx, call)
	}
	observed := call
	ctx, ended := u.environment.ObserveCall(ctx, u.config.Name, &observed)
	result, err := u.call(ctx, observed)
	ended(err)
	return result, err
}

// waits is called where a call begins to wait; the function that it returns where
// it goes on.
func (u *Upstream) waits(ctx context.Context) (goesOn func()) {
	if u.environment.ObserveWait == nil {
		return func() {}
	}
	begun := time.Now()
	return func() { u.environment.ObserveWait(ctx, u.config.Name, time.Since(begun)) }
}

// observedEffects are the effects, observed where someone wants it. What merely
// watches a connection has no outcome to be observed.
func (u *Upstream) observedEffects() map[string]transitions.Effect {
	all := u.effects()
	observe := u.environment.ObserveJob
	if observe == nil {
		return all
	}
	for name, effect := range all {
		if name == transitions.JobWatch {
			continue
		}
		all[name] = func(ctx context.Context, order transitions.Order) transitions.Input {
			ctx, ended := observe(ctx, u.config.Name, order)
			outcome := effect(ctx, order)
			ended(outcome)
			return outcome
		}
	}
	return all
}
