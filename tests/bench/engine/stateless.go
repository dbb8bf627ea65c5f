package engine

import (
	"context"

	library "github.com/qmuntal/stateless"
)

// stateless is configured as its own examples are: guards with the transition, the
// data changed by entry actions.
func stateless() turnstile {
	var c count
	m := library.NewStateMachine(locked)
	m.Configure(locked).
		Permit(coin, unlocked, func(_ context.Context, args ...any) bool { return args[0].(int) >= price }).
		OnEntry(func(context.Context, ...any) error { c.passages++; return nil })
	m.Configure(unlocked).
		Permit(push, locked).
		OnEntry(func(context.Context, ...any) error { c.coins++; return nil })
	fire := func(event string, worth int) error { return m.Fire(event, worth) }
	return turnstile{
		pass:    alternately(func(event string) error { return fire(event, price) }),
		illegal: repeatedly(func() error { return fire(push, 0) }),
		guarded: repeatedly(func() error { return fire(coin, 1) }),
		read: func(n int) (state string) {
			for range n {
				state = m.MustState().(string)
			}
			return state
		},
		counted: func() count { return c },
	}
}
