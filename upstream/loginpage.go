package upstream

import (
	"context"
	"fmt"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"

	"github.com/google/uuid"
)

// offered reports whether the page of the open login may be visited.
func offered(d *states.Data) bool { return d.Shown.Visitable() && d.Flow != nil }

// LoginPage begins a login for a user who is at a browser already, or joins the
// one that is open, and returns the page to send that browser to; no other is
// opened. It returns as soon as the page may be visited.
func (u *Upstream) LoginPage(ctx context.Context) (string, error) {
	if err := u.mayLogIn(ctx); err != nil {
		return "", err
	}
	in := transitions.Input{
		Event:   transitions.LoginRequested,
		Actor:   fsm.Person,
		Flow:    uuid.NewString(),
		Payload: transitions.Payload{Shown: states.Shown{How: states.AwaitedByBrowser}},
	}
	out, err := u.fire(in)
	if err != nil {
		return "", err
	}
	begun := out.Disposition != fsm.Postponed
	s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		open := s.Region(states.Credential).Is(transitions.LoginOpen)
		begun = begun || open
		return begun && !open || offered(&s.Data)
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: the login has not begun yet (%s): %w", u.config.Name, s.Region(states.Credential).State, err)
	case s.Data.Flow == nil:
		return "", u.loginOutcome(s, s.Data.Generation, in.Flow)
	}
	return s.Data.Flow.AuthorizationURL.Reveal(), nil
}

// awaitOffered waits for the outcome of a login that a user was offered: until it
// has begun, and then until it is over. It gives up with the login's deadline.
func (u *Upstream) awaitOffered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, u.Snapshot().Data.Settings.LoginDeadline)
	defer cancel()
	begun := false
	s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		state := s.Region(states.Credential).State
		begun = begun || transitions.Is(states.Credential, state, transitions.LoginOpen)
		return !transitions.Is(states.Credential, state, transitions.LoginOpen) &&
			(begun || !transitions.Is(states.Credential, state, transitions.NeedsUser))
	})
	if err != nil {
		return u.needsPerson(s)
	}
	return nil
}
