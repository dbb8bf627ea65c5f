package transitions

import (
	"mcpproxy/fsm"
	"mcpproxy/states"
)

// halted are the states from which only a user, or another configuration, leads on.
func halted() block {
	return block{
		Name: "Halted", Doc: "No token is in use; only a user or a new configuration leads on.",
		Signals: events{CredentialParked},
		Rows: rows{
			{On: events{CredentialDemanded}, Update: demanded, Signals: events{CredentialParked}},
			ignored("it is known that a login is needed", Challenged),
			ignored("the token is no longer in use", aboutToken...),
		},
		States: blocks{loginRequired(), loggingOut(), loggedOut(), failed()},
	}
}

func loginRequired() block {
	return block{
		Name: states.LoginRequired, Kind: fsm.Parked, Tags: tags{NeedsUser, AwaitsUser},
		Doc:    "A user has to log in; nothing runs and nothing is sent.",
		Next:   "It stays so, and nothing is sent, until a user logs in.",
		Offers: loginOffers(),
		Proposals: []proposal{
			{Event: GrantDue, Doc: "where the grant needs no user", When: isUnattended},
			{Event: LoginProposed, Doc: "where logins may open by themselves, unless it was a login that came to nothing", When: mayOpen},
		},
		Rows: rows{
			{On: events{LoginRequested}, To: states.Discovering, Update: beginFlow, Main: true, Doc: noLimit},
			{On: events{LoginProposed}, To: states.Discovering, Guards: guards{automaticLogin, browserLimit}, Update: beginOwnFlow},
			{On: events{GrantDue}, To: states.Discovering, Guards: guards{unattended, tokensTaken}, Update: beginGrant},
		},
	}
}

func loginOffers() offers {
	return offers{
		{Event: LoginRequested, Doc: "logs in and connects", When: isWanted},
		{Event: LoginRequested, Doc: "logs in", When: entryIsUsable},
	}
}

// Needed is what a call has the machine offered where it needs a login or a token: by a
// runtime, and by a checker. It is empty where the configuration leaves that to a user.
func Needed(d *states.Data) Event {
	switch {
	case d.Settings.Unattended:
		return GrantDue
	case d.Settings.AutomaticLogin:
		return LoginProposed
	}
	return ""
}

func isUnattended(_ *Place, d states.Data) bool { return d.Settings.Unattended }

// mayOpen is when the machine itself begins a login. One that came to nothing is not
// begun again by itself.
func mayOpen(from *Place, d states.Data) bool {
	return !d.Settings.Unattended && d.Settings.AutomaticLogin && !from.Is(LoginOpen)
}

func loggingOut() block {
	return block{
		Name: states.LoggingOut, Kind: fsm.Working, Tags: tags{Passing, Finishing},
		Doc:    "The token is erased and revoked.",
		Next:   "It is logged out once the token is erased here; the authorization server is asked once to revoke it.",
		Job:    job{Name: JobLogOut, Crashed: JobCrashed},
		Timers: timers{within(LogoutFailed, logoutDeadline)},
		Rows: rows{
			{On: events{LogoutDone}, To: states.LoggedOut, Update: each(logOut, credentialFailure)},
			{On: events{LogoutFailed}, To: states.Failed, Update: because(states.StoreFailed)},
			{On: events{JobCrashed}, To: states.Failed, Update: because(states.Crashed)},
			instead(joined("the credential is being worked on", CredentialDemanded)),
			instead(joined("the logout is under way", LogoutRequested)),
			postponed("the logout is finished first", LoginRequested),
			instead(postponed("what has sent a one-time secret can only be finished", CredentialShutdown)),
		},
	}
}

func loggedOut() block {
	return block{
		Name: states.LoggedOut, Kind: fsm.Parked, Tags: tags{NeedsUser, AwaitsUser},
		Doc:    "A user logged out; this holds over restarts until a user logs in.",
		Next:   "It stays so, over restarts too, until a user logs in.",
		Offers: loginOffers(),
		Rows: rows{
			loginAgain(),
			instead(ignored("nobody is logged in", LogoutRequested)),
			ignored("a user logged out; only a user logs in again", LoginProposed),
		},
	}
}

func failed() block {
	return block{
		Name: states.Failed, Kind: fsm.Parked, Tags: tags{AwaitsUser},
		Doc:  "Trying again by itself would not help; a user or a new configuration has to.",
		Next: "It stays so until the cause is fixed and a user tries again.",
		Offers: offers{
			{Event: Connect, Doc: "tries again, once the cause is fixed", When: entryIsUsable},
			{Event: LoginRequested, Doc: "logs in again", When: mayHelpToLogIn},
			{Event: LogoutRequested, Doc: "erases what is damaged, so that a login can begin again", When: isDamaged, Last: true},
		},
		Rows: rows{
			loginAgain(),
			{On: events{RetryRequested}, To: states.LoadingToken},
		},
	}
}

func loginAgain() row {
	return row{On: events{LoginRequested}, To: states.Discovering, Guards: guards{entryUsable}, Update: beginFlow, Doc: noLimit}
}
