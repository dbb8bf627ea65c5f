package transitions

import (
	"strings"
	"time"

	"mcpproxy/fsm"
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

func credentialStates() []state {
	of := func(name states.State, kind fsm.Kind) state {
		return state{Name: name, Kind: kind, Doc: states.Doc(states.Credential, name)}
	}
	working := func(name states.State, jobName string, timers ...timer) state {
		s := of(name, fsm.Working)
		s.Job, s.Timers = job{Name: jobName, Crashed: JobCrashed}, timers
		return s
	}
	signalling := func(s state, signal Event) state {
		s.Signals = signals{signal}
		return s
	}
	fresh := signalling(of(states.Fresh, fsm.Waiting), CredentialReady)
	fresh.Timers = []timer{{Event: RenewDue, Doc: "renewal time", At: renewAt}, {Event: GrantRenewDue, Doc: "renewal time, where no person is needed", At: grantAt}, {Event: ExpiryReached, Doc: "expiry, without a refresh token", At: expiryAt}}
	backoff := of(states.RefreshBackoff, fsm.Waiting)
	backoff.Timers = []timer{{Event: RefreshRetryDue, Doc: "a second while no token works, or Retry-After", At: refreshAt(time.Second)}, lapse()}
	grantBackoff := of(states.GrantBackoff, fsm.Waiting)
	grantBackoff.Timers = []timer{{Event: GrantRetryDue, Doc: "a second while no token works, or Retry-After", At: refreshAt(time.Second)}, lapse()}
	queued := of(states.RefreshQueued, fsm.Waiting)
	queued.Timers = []timer{within(RefreshTurnOverdue, overdue), lapse()}
	refreshing := working(states.Refreshing, JobRefresh, within(RefreshTimedOut, refreshDeadline), lapse())
	refreshing.Job.Single = true
	paused := of(states.RefreshPaused, fsm.Waiting)
	paused.Timers = []timer{{Event: RefreshRetryDue, Doc: "a pause that grows, or Retry-After", At: refreshAt(time.Minute)}, lapse()}
	delayed := of(states.LoginBackoff, fsm.Waiting)
	delayed.Timers = append(retries(), loginTimers("the login's deadline", func(d states.Data, _ time.Time) time.Time { return d.LoginBy })...)

	return []state{
		of(states.Unloaded, fsm.Parked),
		working(states.LoadingToken, JobLoad, within(LoadTimedOut, loadDeadline), lapse()),
		signalling(of(states.NotNeeded, fsm.Parked), CredentialReady),
		signalling(of(states.Anonymous, fsm.Parked), CredentialReady),
		fresh,
		queued,
		refreshing,
		backoff,
		paused,
		working(states.Discovering, JobDiscover, loginWithin(discoverDeadline)...),
		working(states.Registering, JobRegister, loginWithin(registerDeadline)...),
		working(states.AwaitingBrowser, JobAwaitBrowser, flowDeadline()...),
		working(states.ExchangingCode, JobExchange, loginWithin(exchangeDeadline)...),
		working(states.AwaitingDevice, JobAwaitDevice, flowDeadline()...),
		delayed,
		working(states.RequestingToken, JobRequestToken, grantDeadline()...),
		grantBackoff,
		signalling(of(states.LoginRequired, fsm.Parked), CredentialParked),
		signalling(working(states.LoggingOut, JobLogOut, within(LogoutFailed, logoutDeadline)), CredentialParked),
		signalling(of(states.LoggedOut, fsm.Parked), CredentialParked),
		signalling(of(states.Failed, fsm.Parked), CredentialParked),
		of(states.Closed, fsm.Final),
	}
}

func within(event Event, limit time.Duration) timer {
	return timer{Event: event, Doc: spoken(limit), At: func(_ states.Data, entered time.Time) time.Time { return entered.Add(limit) }}
}

// spoken is a whole number of seconds without its zero parts.
func spoken(limit time.Duration) string {
	text := limit.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// loginWithin is the deadline of a login's step, with the two ends a login has.
func loginWithin(limit time.Duration) []timer {
	return loginTimers(spoken(limit), func(_ states.Data, entered time.Time) time.Time { return entered.Add(limit) })
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
	return []timer{{Event: LoginTimedOut, Doc: doc, At: when(LoginTimedOut)}, {Event: LoginLapsed, Doc: doc + ", with a token to go on with", At: when(LoginLapsed)},
		{Event: OptionalLoginLapsed, Doc: doc + ", where the server goes on without one", At: when(OptionalLoginLapsed)}, lapse()}
}

// grantDeadline is that of a request for a token that needs no person.
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
	return []timer{{Event: GrantFailed, Doc: doc, At: when(false)}, {Event: OptionalLoginLapsed, Doc: doc + ", where the server goes on without one", At: when(true)}, lapse()}
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
	return []timer{{Event: LoginRetryDue, Doc: "the login's next attempt", At: when(false)}, {Event: ExchangeRetryDue, Doc: "the login's next attempt, with its code", At: when(true)}}
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
// needs no person: ahead of its expiry, or at once where it was refused.
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
