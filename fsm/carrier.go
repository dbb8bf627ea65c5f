package fsm

import (
	"context"
	"errors"
	"fmt"

	looplab "github.com/looplab/fsm"
)

// carrier is one looplab machine of a region with a slot for the attempt that it
// carries out.
type carrier[S, E ~string, D, P any] struct {
	fsm     *looplab.FSM
	attempt *attempt[S, E, D, P]
	// state is what looplab's machine is in.
	state S
}

// carrier returns a looplab machine of the region: building one takes longer than
// many events.
func (r *run[S, E, D, P]) carrier(of *region[S, E, D, P]) *carrier[S, E, D, P] {
	if r.carriers[of.index] == nil {
		r.carriers[of.index] = of.newCarrier()
	}
	return r.carriers[of.index]
}

func (r *region[S, E, D, P]) newCarrier() *carrier[S, E, D, P] {
	c := &carrier[S, E, D, P]{state: r.spec.Initial}
	var edges []looplab.EventDesc
	for i := range r.spec.Transitions {
		t := &r.spec.Transitions[i]
		edge := looplab.EventDesc{Name: string(t.Event), Dst: string(t.To)}
		for _, from := range t.From {
			edge.Src = append(edge.Src, string(from))
		}
		edges = append(edges, edge)
	}
	c.fsm = looplab.NewFSM(string(r.spec.Initial), edges, looplab.Callbacks{
		"before_event": c.before,
		"leave_state":  c.leave,
		"enter_state":  c.enter,
	})
	return c
}

// carry lets looplab/fsm make the move of an attempt that no guard refuses.
func (c *carrier[S, E, D, P]) carry(a *attempt[S, E, D, P]) {
	c.attempt = a
	if c.state != a.active.State {
		c.state = a.active.State
		c.fsm.SetState(string(c.state))
	}
	err := c.fsm.Event(context.Background(), string(a.input.Event))
	c.attempt = nil
	if err == nil || a.err != nil { // made, or the commit hook refused
		return
	}
	if internal := (looplab.NoTransitionError{}); !errors.As(err, &internal) {
		a.veto(fmt.Errorf("the transition map refused what the table allows: %w", err))
		return
	}
	if a.prepare(); a.err == nil {
		a.publish()
	}
}

// before holds looplab's destination against the table's: looplab's before_event.
// Compile has proved that they agree.
func (c *carrier[S, E, D, P]) before(_ context.Context, e *looplab.Event) {
	if a := c.attempt; e.Dst != string(a.rule.transition.To) {
		a.veto(fmt.Errorf("the transition map leads to %s and the table to %s", e.Dst, a.rule.transition.To))
		e.Cancel(a.err)
	}
}

// leave computes the move and asks the commit hook: looplab's leave_state.
func (c *carrier[S, E, D, P]) leave(_ context.Context, e *looplab.Event) {
	if c.attempt.prepare(); c.attempt.err != nil {
		e.Cancel(c.attempt.err)
	}
}

// enter makes the new entry: looplab's enter_state. It runs no user code.
func (c *carrier[S, E, D, P]) enter(context.Context, *looplab.Event) {
	c.state = c.attempt.move.To
	c.attempt.publish()
}
