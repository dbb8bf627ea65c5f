package transitions

import (
	"mcpproxy/fsm"
	"mcpproxy/states"
)

// Jobs of the credential region.
const (
	JobLoad         = "load"
	JobRefresh      = "refresh"
	JobDiscover     = "discover"
	JobRegister     = "register"
	JobAwaitBrowser = "await-browser"
	JobExchange     = "exchange"
	JobAwaitDevice  = "await-device"
	JobRequestToken = "request-token"
	JobLogOut       = "log-out"
)

// credentialChart declares the credential region.
func credentialChart() chart {
	return chart{
		Name:    states.Credential,
		Doc:     "The token and the ways to it. What has sent a one-time secret can only be finished.",
		Initial: states.Unloaded,
		Events:  credentialEvents(),
		User:    byPerson,
		States: blocks{
			{
				Name: "Kept", Doc: "The upstream is in the configuration, and the proxy runs.",
				Rows: rows{
					{On: events{CredentialShutdown}, To: states.Closed, Doc: "an open login stays on disk and goes on at the next start"},
					{On: events{LogoutRequested}, To: states.LoggingOut, Update: each(doubtClient, logOut)},
				},
				Offers: offers{{Event: LogoutRequested, Doc: "erases and revokes the token, until the next login", When: canLogOut, Last: true}},
				States: blocks{unloaded(), loadingToken(), usable(), renewing(), halted()},
			},
			{
				Name: states.Closed, Kind: fsm.Final,
				Doc:  "The upstream was removed or the proxy is going down.",
				Next: "It is over; a proxy that has the upstream in its configuration begins again.",
				Rows: rows{
					ignored("it is known that a login is needed", Challenged),
					ignored("the token is no longer in use", aboutToken...),
				},
			},
		},
	}
}

// aboutToken are the resource server's words about a token, which mean nothing where
// none is in use.
var aboutToken = events{TokenAccepted, TokenRefused, TokenRejected, ScopeInsufficient, NonceDemanded}

func unloaded() block {
	return block{
		Name: states.Unloaded, Kind: fsm.Parked, Tags: tags{Resting},
		Doc:  "Nothing has asked for the credential yet.",
		Next: "The credential is read once the upstream is wanted.",
		Rows: rows{
			{On: events{CredentialDemanded}, To: states.LoadingToken, Update: demanded, Main: true},
			ignored("it is known that a login is needed", Challenged),
			ignored("the token is no longer in use", TokenAccepted),
		},
	}
}

func loadingToken() block {
	return block{
		Name: states.LoadingToken, Kind: fsm.Working, Tags: tags{Passing},
		Doc: "Token, open login, refresh intent and logout mark are read from the store.",
		Next: "A token that is found is used or renewed, and an open login goes on; without either the server is asked " +
			"without a token.",
		Job:    job{Name: JobLoad, Crashed: JobCrashed},
		Timers: timers{within(LoadTimedOut, loadDeadline), lapse()},
		Rows: rows{
			{On: events{TokenUsable}, To: states.Fresh, Update: takeToken, Main: true},
			{On: events{TokenExpired}, To: states.RefreshQueued, Update: takeToken, Main: true,
				Doc: "and nowhere else: no browser while a refresh token lies there"},
			{On: events{TokenSpent}, To: states.LoginRequired, Update: each(keepGeneration, dropToken, because(states.TokenExpired))},
			{On: events{TokenMissing}, To: states.Anonymous, Update: keepGeneration},
			{On: events{TokenUncertain}, To: states.Fresh, Update: takeUncertain, Doc: "renewed only once it no longer works"},
			{On: events{RefreshUncertain}, To: states.RefreshQueued, Update: takeUncertain, Doc: "once"},
			{On: events{FlowOpen}, To: states.AwaitingBrowser, Update: takeFlowAgain, Doc: "the login of before the restart goes on"},
			{On: events{DeviceFlowOpen}, To: states.AwaitingDevice, Update: takeFlowAgain, Doc: "the login of before the restart goes on"},
			{On: events{FlowBesideToken}, To: states.AwaitingBrowser, Update: takeFlowAgain, Signals: events{CredentialReady},
				Doc: "the login goes on, and calls with what there is"},
			{On: events{DeviceFlowBesideToken}, To: states.AwaitingDevice, Update: takeFlowAgain, Signals: events{CredentialReady},
				Doc: "the login goes on, and calls with what there is"},
			{On: events{LoggedOutMark}, To: states.LoggedOut, Update: each(logOut, credentialFailure)},
			{On: events{CredentialNotNeeded}, To: states.NotNeeded, Update: noLogin},
			{On: events{EntryInvalid}, To: states.Failed, Update: because(states.EntryInvalid),
				Doc: "until the configuration changes; nothing is sent"},
			{On: events{StoreCorrupt}, To: states.Failed, Update: because(states.StoreCorrupt)},
			{On: events{StoreFailed, LoadTimedOut}, To: states.Failed, Update: because(states.StoreFailed)},
			{On: events{JobCrashed}, To: states.Failed, Update: because(states.Crashed)},
			{On: events{TokenLapsed}, Update: lapsed, Doc: "calls wait for what replaces it"},
			joined("the credential is being worked on", CredentialDemanded),
			postponed("the credential is loaded first", LoginRequested),
			instead(postponed("what has begun can only be finished; the logout follows it", LogoutRequested)),
			ignored("what there is now is looked at first", TokenWanted),
			ignored("it is known that a login is needed", Challenged),
			ignored("the token is no longer in use", TokenAccepted),
		},
	}
}

// usable are the states in which requests can be sent as things are.
func usable() block {
	return block{
		Name: "Usable", Doc: "Requests can be sent as things are.", Tags: tags{Resting},
		Signals: events{CredentialReady},
		Rows:    rows{{On: events{CredentialDemanded}, Update: demanded, Signals: events{CredentialReady}}},
		States: blocks{
			{
				Name: states.NotNeeded, Kind: fsm.Parked,
				Doc:  "The configuration gives the credential, or the transport needs none.",
				Next: "It stays as the configuration has it.",
				Rows: rows{
					{On: events{Challenged}, To: states.Failed, Update: because(states.StaticRefused)},
					instead(ignored("the configuration gives the credential; there is nothing to log out of", LogoutRequested)),
				},
			},
			{
				Name: states.Anonymous, Kind: fsm.Parked,
				Doc:  "There is no token, and the server has not asked for one yet.",
				Next: "Requests carry no token until the server asks for a login.",
				Rows: rows{
					{On: events{Challenged}, To: states.LoginRequired, Update: challenged},
					{On: events{LoginRequested}, To: states.Discovering, Update: beginFlow, Doc: noLimit},
				},
			},
			fresh(),
		},
	}
}

// noLimit is said of a user's login: only the proxy's own logins have a limit.
const noLimit = "no limit for users"

func fresh() block {
	return block{
		Name: states.Fresh, Kind: fsm.Waiting,
		Doc:  "The token is good; it is renewed ahead of its expiry.",
		Next: "The token is in use.",
		Offers: offers{
			{Event: LoginRequested, Doc: "asks for the scopes that a call was missing", When: lacksScopes},
			{Event: LoginRequested, Doc: "logs in again, as another user for instance", When: isConnected, Last: true},
		},
		Timers: timers{
			{Event: RenewDue, Doc: "renewal time", At: renewAt},
			{Event: GrantRenewDue, Doc: "renewal time, where no user is needed", At: grantAt},
			{Event: ExpiryReached, Doc: "expiry, without a refresh token", At: expiryAt},
		},
		Rows: rows{
			{On: events{RenewDue}, To: states.RefreshQueued, Update: beginRefresh, Main: true, Doc: "requests flow on the old token meanwhile"},
			{On: events{GrantRenewDue}, To: states.Discovering, Guards: guards{unattended}, Update: beginGrant,
				Doc: "requests flow on the old token meanwhile"},
			{On: events{ExpiryReached}, To: states.LoadingToken, Update: credentialFailure,
				Doc: "the store is asked before a user is: a login that was given up may have been completed"},
			{On: events{TokenAccepted}, Guards: guards{currentGeneration}, Update: accepted},
			{On: events{TokenRefused}, To: states.RefreshQueued, Guards: guards{currentGeneration, hasRefreshToken},
				Update: each(refused, beginRefresh), Doc: "once; all who met the 401 wait for it"},
			{On: events{TokenRejected}, To: states.LoginRequired, Guards: guards{currentGeneration},
				Update: each(refused, because(states.TokenRejected)), Doc: "renewing again would not help"},
			{On: events{ScopeInsufficient}, Guards: guards{currentGeneration}, Update: missingScopes,
				Doc: "the token stays in use; a login asks for more"},
			resourceNonce(),
			{On: events{LoginRequested}, To: states.Discovering, Update: beginFlow, Doc: noLimit},
			{On: events{LoginProposed}, To: states.Discovering, Guards: guards{automaticLogin, scopesMissing, browserLimit},
				Update: beginOwnFlow, Doc: "step-up; the token stays in use meanwhile"},
			ignored("what there is now is looked at first", TokenWanted),
		},
	}
}
