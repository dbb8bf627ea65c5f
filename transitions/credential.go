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

// CredentialRegion declares the credential region.
func CredentialRegion() region {
	return region{
		Name:        states.Credential,
		Doc:         "The token and the ways to it. What has sent a one-time secret can only be finished.",
		Initial:     states.Unloaded,
		States:      credentialStates(),
		Events:      credentialEvents(),
		Transitions: credentialTransitions(),
		Joins:       credentialJoins(),
		Postpones:   credentialPostpones(),
		Ignores:     credentialIgnores(),
	}
}

// loginStates are those of an authorization flow, which rows share; loginJobs are those
// of them in which something runs.
var (
	loginStates = append(from{states.LoginBackoff}, loginJobs...)
	loginJobs   = from{states.Discovering, states.Registering, states.AwaitingBrowser, states.ExchangingCode, states.AwaitingDevice, states.RequestingToken}
)

// renewing are the states in which a token is replaced that may still be in use.
var renewing = append(from{states.RefreshQueued, states.Refreshing, states.RefreshBackoff, states.RefreshPaused, states.GrantBackoff}, loginStates...)

func credentialTransitions() []transition {
	var all []transition
	all = append(all, loadTransitions()...)
	all = append(all, demandTransitions()...)
	all = append(all, freshTransitions()...)
	all = append(all, lapseTransitions()...)
	all = append(all, refreshTransitions()...)
	all = append(all, loginTransitions()...)
	all = append(all, deviceTransitions()...)
	all = append(all, grantTransitions()...)
	all = append(all, proofTransitions()...)
	all = append(all, logoutTransitions()...)
	for i := range all {
		all[i].Update = noticing(all[i].Update)
	}
	return all
}

func loadTransitions() []transition {
	loading := from{states.LoadingToken}
	return []transition{
		{From: from{states.Unloaded}, Event: CredentialDemanded, To: states.LoadingToken, Update: demanded, Main: true},
		{From: loading, Event: TokenUsable, To: states.Fresh, Update: takeToken, Main: true},
		{From: loading, Event: TokenExpired, To: states.RefreshQueued, Update: takeToken, Main: true, Doc: "and nowhere else: no browser while a refresh token lies there"},
		{From: loading, Event: TokenSpent, To: states.LoginRequired, Update: each(keepGeneration, dropToken, because(states.TokenExpired))},
		{From: loading, Event: TokenMissing, To: states.Anonymous, Update: keepGeneration},
		{From: loading, Event: TokenUncertain, To: states.Fresh, Update: takeUncertain, Doc: "renewed only once it no longer works"},
		{From: loading, Event: RefreshUncertain, To: states.RefreshQueued, Update: takeUncertain, Doc: "once"},
		{From: loading, Event: FlowOpen, To: states.AwaitingBrowser, Update: takeFlowAgain, Doc: "the login of before the restart goes on"},
		{From: loading, Event: DeviceFlowOpen, To: states.AwaitingDevice, Update: takeFlowAgain, Doc: "the login of before the restart goes on"},
		{From: loading, Event: FlowBesideToken, To: states.AwaitingBrowser, Update: takeFlowAgain, Signals: signals{CredentialReady}, Doc: "the login goes on, and calls with what there is"},
		{From: loading, Event: DeviceFlowBesideToken, To: states.AwaitingDevice, Update: takeFlowAgain, Signals: signals{CredentialReady}, Doc: "the login goes on, and calls with what there is"},
		{From: loading, Event: LoggedOutMark, To: states.LoggedOut, Update: each(logOut, credentialFailure)},
		{From: loading, Event: CredentialNotNeeded, To: states.NotNeeded, Update: noLogin},
		{From: loading, Event: EntryInvalid, To: states.Failed, Update: because(states.EntryInvalid), Doc: "until the configuration changes; nothing is sent"},
		{From: loading, Event: StoreCorrupt, To: states.Failed, Update: because(states.StoreCorrupt)},
		{From: loading, Event: StoreFailed, To: states.Failed, Update: because(states.StoreFailed)},
		{From: loading, Event: LoadTimedOut, To: states.Failed, Update: because(states.StoreFailed)},
		{From: loading, Event: JobCrashed, To: states.Failed, Update: because(states.Crashed)},
	}
}

// demandTransitions answer the connection region without a change of state.
func demandTransitions() []transition {
	answers := []transition{
		{From: from{states.Fresh}, Event: CredentialDemanded, To: states.Fresh, Update: demanded, Signals: signals{CredentialReady}},
		{From: from{states.Anonymous}, Event: CredentialDemanded, To: states.Anonymous, Update: demanded, Signals: signals{CredentialReady}},
		{From: from{states.NotNeeded}, Event: CredentialDemanded, To: states.NotNeeded, Update: demanded, Signals: signals{CredentialReady}},
		{From: from{states.LoginRequired}, Event: CredentialDemanded, To: states.LoginRequired, Update: demanded, Signals: signals{CredentialParked}},
		{From: from{states.LoggedOut}, Event: CredentialDemanded, To: states.LoggedOut, Update: demanded, Signals: signals{CredentialParked}},
		{From: from{states.Failed}, Event: CredentialDemanded, To: states.Failed, Update: demanded, Signals: signals{CredentialParked}},
	}
	// What works to replace a token keeps nobody from the one that still works; where none
	// does, its outcome is the answer.
	for _, s := range renewing {
		answers = append(answers, transition{From: from{s}, Event: CredentialDemanded, To: s, Guards: guards{tokenWorks}, Update: demanded, Signals: signals{CredentialReady}})
	}
	return answers
}

func freshTransitions() []transition {
	fresh := from{states.Fresh}
	return []transition{
		{From: fresh, Event: RenewDue, To: states.RefreshQueued, Update: beginRefresh, Main: true, Doc: "requests flow on the old token meanwhile"},
		{From: fresh, Event: ExpiryReached, To: states.LoadingToken, Update: credentialFailure, Doc: "the store is asked before a person is: a login that was given up may have been completed"},
		{From: fresh, Event: TokenAccepted, To: states.Fresh, Guards: guards{currentGeneration}, Update: accepted},
		{From: fresh, Event: TokenRefused, To: states.RefreshQueued, Guards: guards{currentGeneration, hasRefreshToken}, Update: each(refused, beginRefresh), Doc: "once; all who met the 401 wait for it"},
		{From: fresh, Event: TokenRejected, To: states.LoginRequired, Guards: guards{currentGeneration}, Update: each(refused, because(states.TokenRejected)), Doc: "renewing again would not help"},
		{From: fresh, Event: ScopeInsufficient, To: states.Fresh, Guards: guards{currentGeneration}, Update: missingScopes, Doc: "the token stays in use; a login asks for more"},
		{From: from{states.Anonymous}, Event: Challenged, To: states.LoginRequired, Update: challenged},
		{From: from{states.NotNeeded}, Event: Challenged, To: states.Failed, Update: because(states.StaticRefused)},
	}
}

// lapseTransitions take notice of a token that expires before what replaces it is there,
// and of a server that asks for a login while one is open.
func lapseTransitions() []transition {
	var all []transition
	for _, s := range append(from{states.LoadingToken}, renewing...) {
		all = append(all, transition{From: from{s}, Event: TokenLapsed, To: s, Update: lapsed, Doc: "calls wait for what replaces it"})
	}
	for _, s := range loginStates {
		all = append(all, transition{From: from{s}, Event: Challenged, To: s, Update: needsLogin, Doc: "the login is needed now, if it was not before"})
	}
	return all
}

func refreshTransitions() []transition {
	refreshing := from{states.Refreshing}
	return []transition{
		{From: from{states.RefreshQueued}, Event: RefreshTurn, To: states.Refreshing, Main: true, Doc: "at once, mostly; the refresh's deadline begins here"},
		{From: from{states.RefreshQueued}, Event: RefreshTurnOverdue, To: states.LoadingToken, Doc: "asks for its turn anew, with what is stored by then; nothing was sent"},
		{From: from{states.RefreshQueued}, Event: TokenRefused, To: states.RefreshQueued, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for this refresh"},

		{From: refreshing, Event: Refreshed, To: states.Fresh, Update: takeIssuedToken, Main: true},
		{From: refreshing, Event: RefreshRejected, To: states.LoginRequired, Update: each(dropToken, because(states.RefreshRejected))},
		{From: refreshing, Event: RefreshTokenLost, To: states.Fresh, Update: loseRefreshToken, Doc: "the access token is used until it expires"},
		{From: refreshing, Event: ClientForgotten, To: states.LoginRequired, Update: each(dropToken, because(states.ClientForgotten))},
		{From: refreshing, Event: ClientRejected, To: states.Failed, Update: because(states.ClientRejected)},
		{From: refreshing, Event: RefreshFailed, To: states.RefreshBackoff, Update: scheduleRefresh},
		{From: refreshing, Event: RefreshRefused, To: states.RefreshBackoff, Update: each(countRefusal, scheduleRefresh), Doc: "as often as is configured; then the refresh token is given up"},
		{From: refreshing, Event: EndpointGone, To: states.RefreshBackoff, Update: each(doubtEndpoint, scheduleRefresh), Doc: "its metadata is read before the next attempt"},
		{From: refreshing, Event: RefreshExhausted, To: states.RefreshPaused, Update: scheduleRefresh},
		{From: refreshing, Event: TokenUncertain, To: states.Fresh, Update: takeUncertain, Doc: "the answer was lost; renewed only once the access token no longer works"},
		{From: refreshing, Event: RefreshUncertain, To: states.RefreshBackoff, Update: takeUncertain, Doc: "the answer was lost; tried once more"},
		{From: refreshing, Event: RefreshTimedOut, To: states.RefreshPaused, Update: scheduleRefresh},
		{From: refreshing, Event: TokenSuperseded, To: states.LoadingToken, Update: credentialFailure, Doc: "an attempt that was given up has saved its token after all; it is read"},
		{From: refreshing, Event: TokenUnsaved, To: states.Failed, Update: because(states.StoreFailed)},
		{From: refreshing, Event: JobCrashed, To: states.Failed, Update: because(states.Crashed)},
		{From: refreshing, Event: TokenRefused, To: states.Refreshing, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for this refresh"},

		{From: from{states.RefreshBackoff, states.RefreshPaused}, Event: RefreshRetryDue, To: states.RefreshQueued},
		{From: from{states.RefreshBackoff, states.RefreshPaused}, Event: RetryRequested, To: states.RefreshQueued, Guards: guards{byPerson}},
		{From: from{states.RefreshPaused}, Event: TokenWanted, To: states.RefreshQueued, Guards: guards{attemptDue}, Doc: "not more often than every few seconds"},
		{From: from{states.RefreshBackoff}, Event: TokenRefused, To: states.RefreshBackoff, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the next attempt"},
		{From: from{states.RefreshPaused}, Event: TokenRefused, To: states.RefreshPaused, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the next attempt"},
		{From: from{states.Failed}, Event: RetryRequested, To: states.LoadingToken, Guards: guards{byPerson}},
	}
}

func logoutTransitions() []transition {
	return []transition{
		{From: from{states.Unloaded, states.Anonymous, states.Fresh, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused, states.Discovering, states.Registering, states.AwaitingBrowser, states.AwaitingDevice, states.LoginBackoff, states.GrantBackoff, states.LoginRequired, states.Failed},
			Event: LogoutRequested, To: states.LoggingOut, Guards: guards{byPerson}, Update: each(doubtClient, logOut)},
		{From: from{states.LoggingOut}, Event: LogoutDone, To: states.LoggedOut, Update: each(logOut, credentialFailure)},
		{From: from{states.LoggingOut}, Event: LogoutFailed, To: states.Failed, Update: because(states.StoreFailed)},
		{From: from{states.LoggingOut}, Event: JobCrashed, To: states.Failed, Update: because(states.Crashed)},
		{From: from{states.Unloaded, states.LoadingToken, states.NotNeeded, states.Anonymous, states.Fresh, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused,
			states.Discovering, states.Registering, states.AwaitingBrowser, states.AwaitingDevice, states.LoginBackoff, states.GrantBackoff, states.LoginRequired, states.LoggedOut, states.Failed},
			Event: CredentialShutdown, To: states.Closed, Doc: "an open login stays on disk and goes on at the next start"},
	}
}

func credentialJoins() []rule {
	return []rule{
		{From: from{states.LoadingToken, states.LoggingOut}, Event: CredentialDemanded, Reason: "the credential is being worked on"},
		{From: append(from{states.RefreshQueued, states.Refreshing, states.RefreshBackoff}, loginStates...), Event: TokenWanted, Reason: "an attempt is under way, or due within a second"},
		{From: from{states.Discovering, states.Registering, states.ExchangingCode, states.LoginBackoff, states.RequestingToken}, Event: LoginRequested, Reason: "a login is open; wait for its outcome"},
		{From: append(from{states.GrantBackoff}, loginStates...), Event: GrantDue, Reason: "a token is on its way"},
		{From: loginStates, Event: LoginProposed, Reason: "a login is open; wait for its outcome"},
		{From: from{states.RefreshQueued}, Event: RetryRequested, Reason: "the attempt waits for its turn"},
		{From: from{states.Refreshing}, Event: RetryRequested, Reason: "an attempt is under way"},
		{From: from{states.LoggingOut}, Event: LogoutRequested, Reason: "the logout is under way"},
	}
}

func credentialPostpones() []rule {
	return []rule{
		{From: from{states.LoadingToken}, Event: LoginRequested, Reason: "the credential is loaded first"},
		{From: from{states.Refreshing}, Event: LoginRequested, Reason: "a refresh can only be finished; the login follows it"},
		{From: from{states.LoggingOut}, Event: LoginRequested, Reason: "the logout is finished first"},
		{From: from{states.LoadingToken, states.Refreshing, states.ExchangingCode, states.RequestingToken}, Event: LogoutRequested, Reason: "what has begun can only be finished; the logout follows it"},
		{From: from{states.Refreshing, states.ExchangingCode, states.RequestingToken, states.LoggingOut}, Event: CredentialShutdown, Reason: "what has sent a one-time secret can only be finished"},
	}
}

func credentialIgnores() []rule {
	return []rule{
		{From: from{states.LoggedOut}, Event: LogoutRequested, Reason: "nobody is logged in"},
		{From: from{states.NotNeeded}, Event: LogoutRequested, Reason: "the configuration gives the credential; there is nothing to log out of"},
		{From: from{states.Fresh, states.LoadingToken}, Event: TokenWanted, Reason: "what there is now is looked at first"},
		{From: from{states.LoginRequired, states.Unloaded, states.LoadingToken, states.LoggingOut, states.LoggedOut, states.Failed, states.Closed}, Event: Challenged, Reason: "it is known that a login is needed"},
		{From: from{states.Refreshing, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused, states.GrantBackoff}, Event: Challenged, Reason: "the request was sent before there was a token"},
		{From: from{states.LoggedOut}, Event: LoginProposed, Reason: "a person logged out; only a person logs in again"},
		{From: append(from{states.Refreshing, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused, states.GrantBackoff}, loginStates...), Event: TokenAccepted, Reason: "the token is being replaced"},
		{From: from{states.Unloaded, states.LoadingToken, states.LoginRequired, states.LoggingOut, states.LoggedOut, states.Failed, states.Closed}, Event: TokenAccepted, Reason: "the token is no longer in use"},
		{From: append(from{states.LoginRequired, states.LoggingOut, states.LoggedOut, states.Closed}, states.Failed), Event: TokenRefused, Reason: "the token is no longer in use"},
		{From: from{states.LoginRequired, states.LoggingOut, states.LoggedOut, states.Failed, states.Closed}, Event: TokenRejected, Reason: "the token is no longer in use"},
		{From: append(from{states.Refreshing, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused, states.GrantBackoff}, loginStates...), Event: ScopeInsufficient, Reason: "the token is being replaced"},
		{From: from{states.LoginRequired, states.LoggingOut, states.LoggedOut, states.Failed, states.Closed}, Event: ScopeInsufficient, Reason: "the token is no longer in use"},
		{From: from{states.LoginRequired, states.LoggingOut, states.LoggedOut, states.Failed, states.Closed}, Event: NonceDemanded, Reason: "the token is no longer in use"},
	}
}

// Declaration returns both regions, not yet compiled.
func Declaration() Spec {
	return Spec{Name: "upstream", Regions: []region{ConnectionRegion(), CredentialRegion()}}
}

// Definition compiles the graph. It is the same for every upstream; compile it
// once and share it. It panics if the tables are inconsistent, which a test
// excludes.
func Definition() *Graph {
	graph, err := fsm.Compile(Declaration())
	if err != nil {
		panic(err)
	}
	return graph
}
