package transitions

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// renewing are the states in which a token is replaced that may still be in use. What
// works to replace a token keeps nobody from the one that still works; where none does,
// its outcome is the answer.
func renewing() block {
	return block{
		Name: "Renewing", Doc: "A token is on its way; the one before it is used while it works.", Tags: tags{Obtaining},
		Timers: timers{lapse()},
		Rows: rows{
			{On: events{CredentialDemanded}, Guards: guards{tokenWorks}, Update: demanded, Signals: events{CredentialReady}},
			{On: events{TokenLapsed}, Update: lapsed, Doc: "calls wait for what replaces it"},
			{On: events{TokenRefused}, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for what replaces it"},
			resourceNonce(),
			ignored("the token is being replaced", TokenAccepted, ScopeInsufficient),
		},
		States: blocks{renewals(), loggingIn()},
	}
}

// renewals are the ways to a token that need no user: a refresh, or a grant's pause.
func renewals() block {
	return block{
		Name: "Renewal", Doc: "The token is renewed, or will be at a known time.",
		Rows: rows{
			{On: events{LoginRequested}, To: states.Discovering, Update: beginFlow, Doc: noLimit},
			ignored("the request was sent before there was a token", Challenged),
		},
		States: blocks{refreshQueued(), refreshing(), refreshDelayed(), grantBackoff()},
	}
}

func refreshQueued() block {
	return block{
		Name: states.RefreshQueued, Kind: fsm.Waiting, Tags: tags{Renewing, Passing},
		Doc: "Its turn to renew the token is awaited: as many refreshes are under way as the configuration allows. Nothing was sent.",
		Next: "The token is kept, and used while it works; it is renewed when its slot is free, which is when another refresh " +
			"has ended.",
		Timers: timers{within(RefreshTurnOverdue, overdue)},
		Rows: rows{
			{On: events{RefreshTurn}, To: states.Refreshing, Main: true, Doc: "at once, mostly; the refresh's deadline begins here"},
			{On: events{RefreshTurnOverdue}, To: states.LoadingToken,
				Doc: "asks for its turn again, with what is stored by then; nothing was sent"},
			joined("an attempt is under way, or due within a second", TokenWanted),
			joined("the attempt waits for its turn", RetryRequested),
		},
	}
}

func refreshing() block {
	return block{
		Name: states.Refreshing, Kind: fsm.Working, Tags: tags{Renewing, Attempting, Passing, Finishing},
		Doc: "The refresh token is on its way to the authorization server; this can only be finished.",
		Next: "The new token is used once it is on disk. Should the authorization server refuse the refresh token, a user has " +
			"to log in; should it not answer, another attempt follows.",
		Job:    job{Name: JobRefresh, Crashed: JobCrashed, Single: true},
		Timers: timers{within(RefreshTimedOut, refreshDeadline)},
		Rows: rows{
			{On: events{Refreshed}, To: states.Fresh, Update: takeIssuedToken, Main: true},
			{On: events{RefreshRejected}, To: states.LoginRequired, Update: each(dropToken, because(states.RefreshRejected))},
			{On: events{RefreshTokenLost}, To: states.Fresh, Update: loseRefreshToken, Doc: "the access token is used until it expires"},
			{On: events{ClientForgotten}, To: states.LoginRequired, Update: each(dropToken, because(states.ClientForgotten))},
			{On: events{ClientRejected}, To: states.Failed, Update: because(states.ClientRejected)},
			{On: events{RefreshFailed}, To: states.RefreshBackoff, Update: scheduleRefresh},
			{On: events{RefreshRefused}, To: states.RefreshBackoff, Update: each(countRefusal, scheduleRefresh),
				Doc: "as often as is configured; then the refresh token is given up"},
			{On: events{EndpointGone}, To: states.RefreshBackoff, Update: each(doubtEndpoint, scheduleRefresh),
				Doc: "its metadata is read before the next attempt"},
			{On: events{RefreshExhausted, RefreshTimedOut}, To: states.RefreshPaused, Update: scheduleRefresh},
			{On: events{TokenUncertain}, To: states.Fresh, Update: takeUncertain,
				Doc: "the answer was lost; renewed only once the access token no longer works"},
			{On: events{RefreshUncertain}, To: states.RefreshBackoff, Update: takeUncertain, Doc: "the answer was lost; tried once more"},
			{On: events{TokenSuperseded}, To: states.LoadingToken, Update: credentialFailure,
				Doc: "an attempt that was given up has saved its token after all; it is read"},
			{On: events{TokenUnsaved}, To: states.Failed, Update: because(states.StoreFailed)},
			{On: events{JobCrashed}, To: states.Failed, Update: because(states.Crashed)},
			tokenNonce(),
			joined("an attempt is under way, or due within a second", TokenWanted),
			joined("an attempt is under way", RetryRequested),
			instead(postponed("a refresh can only be finished; the login follows it", LoginRequested)),
			instead(postponed("what has begun can only be finished; the logout follows it", LogoutRequested)),
			instead(postponed("what has sent a one-time secret can only be finished", CredentialShutdown)),
		},
	}
}

// refreshDelayed are the pauses between the attempts of a refresh.
func refreshDelayed() block {
	return block{
		Name: "RefreshDelayed", Doc: "The last attempt to renew failed, and the next one is at a known time.", Tags: tags{Renewing, Paced},
		Offers: offers{
			{Event: Connect, Doc: "tries the refresh now"},
			{Event: LoginRequested, Doc: "logs in again"},
		},
		Rows: rows{
			{On: events{RefreshRetryDue, RetryRequested}, To: states.RefreshQueued},
		},
		States: blocks{
			{
				Name: states.RefreshBackoff, Kind: fsm.Waiting,
				Doc:    "The authorization server did not answer well; the next attempt is at a known time and the token is kept.",
				Next:   "The token is kept, and used while it works.",
				Timers: timers{{Event: RefreshRetryDue, Doc: "a second while no token works, or Retry-After", At: refreshAt(time.Second)}},
				Rows:   rows{joined("an attempt is under way, or due within a second", TokenWanted)},
			},
			{
				Name: states.RefreshPaused, Kind: fsm.Waiting, Tags: tags{Failing},
				Doc: "The refresh has failed for minutes while no token works; it goes on at intervals that grow, " +
					"or when a call asks for it, and the token is kept.",
				Next:   "The token is kept; the attempts go on until one is answered, and a call makes one at once.",
				Timers: timers{{Event: RefreshRetryDue, Doc: "a pause that grows, or Retry-After", At: refreshAt(time.Minute)}},
				Rows: rows{
					{On: events{TokenWanted}, To: states.RefreshQueued, Guards: guards{attemptDue}, Doc: "not more often than every few seconds"},
				},
			},
		},
	}
}

func grantBackoff() block {
	return block{
		Name: states.GrantBackoff, Kind: fsm.Waiting, Tags: tags{Paced},
		Doc:    "The grant that needs no user did not work this time; the next attempt is at a known time and a token that works is kept.",
		Next:   "The token is requested again by itself until the authorization server answers.",
		Offers: offers{{Event: Connect, Doc: "requests the token now"}},
		Timers: timers{{Event: GrantRetryDue, Doc: "a second while no token works, or Retry-After", At: refreshAt(time.Second)}},
		Rows: rows{
			{On: events{GrantRetryDue, RetryRequested}, To: states.Discovering},
			{On: events{TokenWanted}, To: states.Discovering, Guards: guards{attemptDue}, Doc: "not more often than every few seconds"},
			joined("a token is on its way", GrantDue),
		},
	}
}
