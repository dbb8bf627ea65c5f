package transitions

import (
	"time"

	"mcpproxy/states"
)

// Deadlines of the working states. Each is longer than the requests that its job
// makes, so that it strikes only when the job itself is stuck.
const (
	loadDeadline     = 10 * time.Second
	refreshDeadline  = 90 * time.Second
	discoverDeadline = 60 * time.Second
	registerDeadline = 60 * time.Second
	exchangeDeadline = 90 * time.Second
	logoutDeadline   = 30 * time.Second
)

// loginWithin is the deadline of a login's step, with the two ends a login has.
func loginWithin(limit time.Duration) []timer {
	all := loginTimers(spoken(limit), func(_ states.Data, entered time.Time) time.Time { return entered.Add(limit) })
	for i := range all {
		all[i].After = limit
	}
	return all
}

// flowDeadline is the deadline that the flow was given when it began, kept over a restart.
func flowDeadline() []timer {
	return loginTimers("the flow's deadline", func(d states.Data, entered time.Time) time.Time {
		if d.Flow == nil || d.Flow.Deadline.IsZero() {
			return entered.Add(d.Settings.LoginDeadline)
		}
		return d.Flow.Deadline
	})
}

func loginTimers(doc string, at func(states.Data, time.Time) time.Time) []timer {
	when := func(end Event) func(states.Data, time.Time) time.Time {
		return func(d states.Data, entered time.Time) time.Time {
			if lapseEnd(&d) != end {
				return time.Time{}
			}
			return at(d, entered)
		}
	}
	return []timer{{Event: LoginTimedOut, Doc: doc, At: when(LoginTimedOut)},
		{Event: LoginLapsed, Doc: doc + ", with a token to go on with", At: when(LoginLapsed)},
		{Event: OptionalLoginLapsed, Doc: doc + ", where the server goes on without one", At: when(OptionalLoginLapsed)}}
}

// loginBy is the deadline of a login as a whole.
func loginBy(d states.Data, _ time.Time) time.Time { return d.LoginBy }

// grantDeadline is that of a request for a token that needs no user.
func grantDeadline() []timer {
	when := func(without bool) func(states.Data, time.Time) time.Time {
		return func(d states.Data, entered time.Time) time.Time {
			if d.WorksWithout() != without {
				return time.Time{}
			}
			return entered.Add(exchangeDeadline)
		}
	}
	doc := spoken(exchangeDeadline)
	return []timer{{Event: GrantFailed, Doc: doc, At: when(false), After: exchangeDeadline},
		{Event: OptionalLoginLapsed, Doc: doc + ", where the server goes on without one", At: when(true), After: exchangeDeadline}}
}

// lapse is the expiry of a token that is being replaced.
func lapse() timer {
	return timer{Event: TokenLapsed, Doc: "expiry", At: func(d states.Data, _ time.Time) time.Time {
		if !d.TokenWorks() {
			return time.Time{}
		}
		return d.Token.ExpiresAt
	}}
}

// retries are the ends of a delayed login's pause: the code is sent again where there is
// one, and else the login goes through its steps again.
func retries() []timer {
	when := func(code bool) func(states.Data, time.Time) time.Time {
		return func(d states.Data, entered time.Time) time.Time {
			if code == d.Code.IsZero() {
				return time.Time{}
			}
			return dueAt(d.LoginAt, entered, 0, hurriedPause, hurriedPause)
		}
	}
	return []timer{{Event: LoginRetryDue, Doc: "the login's next attempt", At: when(false)},
		{Event: ExchangeRetryDue, Doc: "the login's next attempt, with its code", At: when(true)}}
}

// renewAt is when a token with a refresh token is renewed: ahead of its expiry,
// or at it where an earlier refresh has no known outcome, or at once where the
// resource server has refused it.
func renewAt(d states.Data, entered time.Time) time.Time {
	switch {
	case !d.Token.HasRefresh():
		return time.Time{}
	case !d.KeepsToken():
		return entered
	case d.Uncertain != nil:
		return d.Token.ExpiresAt
	}
	return d.Token.RenewAt()
}

// grantAt is when a token without a refresh token is replaced by a grant that
// needs no user: ahead of its expiry, or at once where it was refused.
func grantAt(d states.Data, entered time.Time) time.Time {
	switch {
	case !d.Settings.Unattended || d.Token.HasRefresh():
		return time.Time{}
	case !d.KeepsToken():
		return entered
	}
	return d.Token.RenewAt()
}

func expiryAt(d states.Data, _ time.Time) time.Time {
	if d.Token == nil || d.Token.HasRefresh() {
		return time.Time{}
	}
	return d.Token.ExpiresAt
}

func refreshAt(first time.Duration) func(states.Data, time.Time) time.Time {
	return func(d states.Data, entered time.Time) time.Time {
		return dueAt(d.RefreshAt, entered, 0, first, first)
	}
}
