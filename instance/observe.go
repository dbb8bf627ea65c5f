package instance

import (
	"context"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/metrics"
	"mcpproxy/relay"
	"mcpproxy/telemetry"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// observe puts what watches the upstreams into their environment. What is off is
// nil there and costs nothing.
func (o *Options) observe(e *upstream.Environment) {
	if m := o.Metrics; m != nil {
		also := e.Observe
		e.Observe = func(entry fsm.Entry) {
			m.Entry(entry)
			if also != nil {
				also(entry)
			}
		}
		e.ObserveCall, e.ObserveWait = m.Call, m.Waited
	}
	t := o.Telemetry
	if !t.Traces() {
		return
	}
	e.Network = t.Transport(upstream.NewNetwork())
	e.ObserveCall, e.ObserveWait = t.Call, t.Waited
	if m := o.Metrics; m != nil {
		e.ObserveCall = func(ctx context.Context, name string, call *relay.Call) (context.Context, func(error)) {
			ctx, traced := t.Call(ctx, name, call)
			ctx, counted := m.Call(ctx, name, call)
			return ctx, func(err error) { counted(err); traced(err) }
		}
		e.ObserveWait = func(ctx context.Context, name string, waited time.Duration) {
			t.Waited(ctx, name, waited)
			m.Waited(ctx, name, waited)
		}
	}
	e.ObserveJob = func(ctx context.Context, name string, order transitions.Order) (context.Context, func(transitions.Input)) {
		ctx, ended := t.Job(ctx, telemetry.Job{
			Upstream: name,
			Name:     order.Job,
			State:    string(order.State),
			Epoch:    order.Epoch,
			Flow:     order.Snapshot.Data.FlowID,
		})
		return ctx, func(outcome transitions.Input) { ended(string(outcome.Event)) }
	}
}

// now is what metrics say of the present states.
func now(manager *upstream.Manager) []metrics.Now {
	var all []metrics.Now
	for _, u := range manager.All() {
		s := u.Snapshot()
		one := metrics.Now{Upstream: u.Name()}
		for _, r := range s.Regions {
			one.Regions = append(one.Regions, metrics.RegionNow{Region: r.Region, State: string(r.State), Since: r.Since})
		}
		if s.Data.Token != nil {
			one.TokenExpires = s.Data.Token.ExpiresAt
		}
		all = append(all, one)
	}
	return all
}
