package upstream

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// effects are the jobs of the graph, by name. Each ends in one event.
func (u *Upstream) effects() map[string]transitions.Effect {
	return map[string]transitions.Effect{
		transitions.JobConnect:      u.connect,
		transitions.JobWatch:        u.watch,
		transitions.JobLoad:         u.load,
		transitions.JobRefresh:      u.refresh,
		transitions.JobDiscover:     u.ofLogin(u.discover),
		transitions.JobRegister:     u.ofLogin(u.register),
		transitions.JobAwaitBrowser: u.ofLogin(u.awaitBrowser),
		transitions.JobExchange:     u.ofLogin(u.exchange),
		transitions.JobAwaitDevice:  u.ofLogin(u.awaitDevice),
		transitions.JobRequestToken: u.ofLogin(u.requestToken),
		transitions.JobLogOut:       u.logOut,
	}
}

// ofLogin is a job of a login. A crash of it is the end of the login, and takes nothing from
// what works beside it.
func (u *Upstream) ofLogin(job transitions.Effect) transitions.Effect {
	return func(ctx context.Context, order transitions.Order) (outcome transitions.Input) {
		defer func() {
			if value := recover(); value != nil {
				err := &fsm.PanicError{Callback: "job " + order.Job, Value: value, Stack: debug.Stack()}
				u.logger.Error("a login ended by an internal error", "error", err, "stack", string(err.Stack))
				outcome = u.brokenOff(order, transitions.JobCrashed, states.Crashed, err)
			}
		}()
		return job(ctx, order)
	}
}

// brokenOff is the outcome of a login's job that ended by this program's own fault, or its
// disk's: what works beside the login goes on, and where nothing does it is a failure.
func (u *Upstream) brokenOff(order transitions.Order, failed transitions.Event, reason states.Reason, err error) transitions.Input {
	data := &u.Snapshot().Data
	if u.config.OAuth.Grant.Unattended() && data.TokenUsable(time.Now()) {
		return u.grantDelayed(0, seldom, err)
	}
	in := event(transitions.LoginEnd(*data, failed), err)
	if u.config.OAuth.Grant.Unattended() && in.Event != transitions.OptionalLoginEnded {
		in.Event = failed
	}
	in.Flow, in.Payload.Reason = order.Snapshot.Data.FlowID, reason
	return in
}

// nothing is the outcome of a job whose state was left.
var nothing = transitions.Input{}

// event is an outcome that carries nothing but its name and what went wrong.
func event(name transitions.Event, err error) transitions.Input {
	return transitions.Input{Event: name, Payload: transitions.Payload{Err: err}}
}

// wants is asked by the store before it writes what a login made: a job whose
// machine went on without it, for a logout say, leaves nothing behind.
func (u *Upstream) wants(order transitions.Order) func() bool {
	return func() bool { return u.Snapshot().Region(states.Credential).Epoch == order.Epoch }
}

// loginEnd is the outcome of a login's job that failed: the login is over, and
// what there was before it goes on. A grant that needs no user is
// tried again instead, where that may help.
func (u *Upstream) loginEnd(order transitions.Order, failed transitions.Event, reason states.Reason, err error) transitions.Input {
	if u.config.OAuth.Grant.Unattended() {
		return u.grantFailed(order, err)
	}
	data := &u.Snapshot().Data
	in := event(transitions.LoginEnd(*data, failed), err)
	in.Flow = order.Snapshot.Data.FlowID
	in.Payload.Reason = reason
	if in.Event != transitions.LoginAbandoned {
		u.keepVerdict(reason, err)
	}
	if in.Event == transitions.OptionalLoginEnded && data.LoginNeeded {
		// A user logged out of a server that has no login: it is asked without one again.
		if err := u.environment.Store.EndLogout(u.config.Name); err != nil {
			u.logger.Error("the mark of a logout could not be erased", "error", err)
		}
	}
	return in
}

// keepTrying repeats what only the disk can refuse until it works, ctx ends or
// the attempts are used up.
func (u *Upstream) keepTrying(ctx context.Context, what string, write func() error) error {
	var err error
	for attempt := range 5 {
		if err = write(); err == nil || !retriable(err) {
			return err
		}
		u.logger.Error("writing to the store failed; trying again", slog.String("what", what), slog.Int("attempt", attempt+1),
			slog.Any("error", err))
		select {
		case <-time.After(time.Duration(attempt+1) * 200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
	return err
}
