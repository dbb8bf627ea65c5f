package transitions

import (
	"mcpproxy/fsm"
	"mcpproxy/states"
)

// loggingIn are the states of an authorization flow, from a request to log in to a token,
// and of a grant without a user, which shares its first steps. Every failure leads
// back to where it was: to Fresh (LoginAbandoned, LoginLapsed) where the login was for
// more scopes or another account and the earlier token still works, to Anonymous
// (OptionalLoginEnded, OptionalLoginLapsed) where the server had not asked for one, and
// to LoginRequired where there is nothing to go on with.
func loggingIn() block {
	return block{
		Name: "LoggingIn", Doc: "A login is open, or a grant that needs no user is under way.", Tags: tags{LoginOpen},
		Rows: rows{
			{On: events{LoginTimedOut}, To: states.LoginRequired, Update: each(doubtClient, endFlow, because(states.LoginTimedOut))},
			{On: events{LoginLapsed}, To: states.Fresh, Update: each(doubtClient, endFlow, goOn)},
			{On: events{OptionalLoginLapsed}, To: states.Anonymous, Update: each(doubtClient, endFlow, goOnWithout(states.LoginTimedOut))},
			{On: events{LoginAbandoned}, To: states.Fresh, Guards: guards{openFlow}, Update: each(doubtClient, endFlow, goOn, credentialFailure)},
			{On: events{OptionalLoginEnded}, To: states.Anonymous, Guards: guards{openFlow},
				Update: each(doubtClient, endFlow, goOnWithout(states.LoginFailed))},
			{On: events{LoginCancelled}, To: states.LoginRequired, Update: each(doubtClient, endFlow, because(states.LoginCancelled))},
			{On: events{JobCrashed}, To: states.Failed, Update: each(endFlow, because(states.Crashed))},
			{On: events{Challenged}, Update: needsLogin, Doc: "the login is needed now, if it was not before"},
			joined("an attempt is under way, or due within a second", TokenWanted),
			joined("a login is open; wait for its outcome", LoginRequested, LoginProposed),
			joined("a token is on its way", GrantDue),
		},
		States: blocks{discovering(), registering(), awaitingBrowser(), exchangingCode(), awaitingDevice(), loginBackoff(), requestingToken()},
	}
}

// finishing is said of a login that asks for no more of the user.
const finishing = "joins the login that is being finished and waits for its outcome"

func join() offer {
	return offer{Event: LoginRequested, Doc: "joins the login that is open and waits for its outcome", When: isLogin}
}

func cancel() offer {
	return offer{Event: LoginCancelled, Doc: "gives the open login up", When: isLogin}
}

// unspent is said where an attempt of a login's step can be made again.
const unspent = "nothing was spent"

func discovering() block {
	return block{
		Name: states.Discovering, Kind: fsm.Working, Tags: tags{Passing},
		Doc:    "The authorization server is looked up: protected resource metadata, then its own metadata.",
		Next:   "The login page follows once the authorization server is found.",
		Offers: offers{join(), cancel()},
		Job:    job{Name: JobDiscover, Crashed: JobCrashed},
		Timers: loginWithin(discoverDeadline),
		Rows: rows{
			{On: events{Discovered}, To: states.Registering, Update: each(credentialFailure, forgetNonce, keepDiscovery), Main: true},
			{On: events{NotOAuth}, To: states.Failed, Update: each(endFlow, because(states.NotOAuth))},
			{On: events{DiscoveryFailed}, To: states.LoginRequired, Update: each(endFlow, because(states.DiscoveryFailed))},
			{On: events{LoginDelayed}, To: states.LoginBackoff, Update: delayLogin, Doc: unspent},
			grantRejected(),
			grantFailed(),
		},
	}
}

func registering() block {
	return block{
		Name: states.Registering, Kind: fsm.Working, Tags: tags{Passing},
		Doc:    "This client gets its identity at the authorization server, and the flow its redirect address.",
		Next:   "The login page follows once the client is registered.",
		Offers: offers{join(), cancel()},
		Job:    job{Name: JobRegister, Crashed: JobCrashed},
		Timers: loginWithin(registerDeadline),
		Rows: rows{
			{On: events{Registered}, To: states.AwaitingBrowser, Update: takeFlow, Main: true},
			{On: events{DeviceCodeIssued}, To: states.AwaitingDevice, Update: takeFlow},
			{On: events{ClientIdentified}, To: states.RequestingToken, Guards: guards{unattended}, Update: identified},
			{On: events{RegistrationFailed}, To: states.LoginRequired, Update: each(endFlow, because(states.RegistrationFailed))},
			{On: events{RegistrationRejected}, To: states.Failed, Update: each(endFlow, because(states.RegistrationFailed))},
			{On: events{ListenerFailed}, To: states.LoginRequired, Update: each(endFlow, because(states.ListenerFailed))},
			{On: events{LoginDelayed}, To: states.LoginBackoff, Update: delayLogin, Doc: unspent},
			grantRejected(),
			grantFailed(),
		},
	}
}

func awaitingBrowser() block {
	return block{
		Name: states.AwaitingBrowser, Kind: fsm.Working, Tags: tags{AwaitsUser},
		Doc:    "The authorization page is open or offered; the user's answer is awaited.",
		Next:   "It goes on when the page is completed. Asking for the login again shows the same page, and begins no other.",
		Offers: offers{{Event: LoginRequested, Doc: "shows the page of the open login again and waits for its outcome"}, cancel()},
		Job:    job{Name: JobAwaitBrowser, Crashed: JobCrashed},
		Timers: flowDeadline(),
		Rows: rows{
			{On: events{BrowserShown}, Update: shown},
			{On: events{CodeReceived}, To: states.ExchangingCode, Guards: guards{openFlow}, Update: each(doubtClient, keepCode), Main: true},
			{On: events{LoginDenied}, To: states.LoginRequired, Guards: guards{openFlow},
				Update: each(doubtClient, endFlow, because(states.LoginDenied))},
			{On: events{LoginFailed}, To: states.LoginRequired, Guards: guards{openFlow},
				Update: each(doubtClient, endFlow, because(states.LoginFailed))},
			{On: events{ListenerFailed}, To: states.LoginRequired, Update: each(endFlow, because(states.ListenerFailed))},
			instead(row{On: events{LoginRequested}, Update: showAgain, Doc: "joins the open flow and shows its page again"}),
		},
	}
}

func exchangingCode() block {
	return block{
		Name: states.ExchangingCode, Kind: fsm.Working, Tags: tags{Attempting, Passing, Finishing},
		Doc:    "The authorization code is turned into a token; this can only be finished.",
		Next:   "It is logged in once the authorization server has answered.",
		Offers: offers{{Event: LoginRequested, Doc: finishing}},
		Job:    job{Name: JobExchange, Crashed: JobCrashed},
		Timers: loginWithin(exchangeDeadline),
		Rows: rows{
			{On: events{CodeExchanged}, To: states.Fresh, Update: takeNewLogin, Main: true},
			{On: events{ExchangeRejected}, To: states.LoginRequired, Update: each(endFlow, because(states.ExchangeFailed))},
			{On: events{ClientForgotten}, To: states.LoginRequired, Update: each(endFlow, because(states.ClientForgotten))},
			{On: events{ClientRejected}, To: states.Failed, Update: each(endFlow, because(states.ClientRejected))},
			{On: events{LoginDelayed}, To: states.LoginBackoff, Update: delayLogin, Doc: unspent},
			tokenUnsaved(),
			loginSuperseded(),
			tokenNonce(),
			instead(row{On: events{LoginAbandoned}, To: states.Fresh, Guards: guards{openFlow, ownJob},
				Update: each(endFlow, goOn, credentialFailure), Doc: codeSpent}),
			instead(endedByItself()),
			instead(postponed("what has begun can only be finished; the logout follows it", LogoutRequested)),
			instead(postponed("what has sent a one-time secret can only be finished", CredentialShutdown)),
			except(LoginCancelled),
		},
	}
}

// awaitingDevice is the login with a code that is entered on another device
// (RFC 8628), for machines without a browser.
func awaitingDevice() block {
	return block{
		Name: states.AwaitingDevice, Kind: fsm.Working, Tags: tags{AwaitsUser},
		Doc:  "The authorization page is to be opened on any device, and the code entered that is shown; the answer is polled for.",
		Next: "It goes on when the code is entered on the page. Asking for the login again shows the same code.",
		Offers: offers{
			{Event: LoginRequested, Doc: "shows the address and the code of the open login again and waits for its outcome"},
			cancel(),
		},
		Job:    job{Name: JobAwaitDevice, Crashed: JobCrashed},
		Timers: flowDeadline(),
		Rows: rows{
			{On: events{BrowserShown}, Update: shown},
			{On: events{CodeExchanged}, To: states.Fresh, Update: takeNewLogin},
			{On: events{LoginDenied}, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(endFlow, because(states.LoginDenied))},
			{On: events{LoginFailed}, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(endFlow, because(states.LoginFailed))},
			{On: events{ClientForgotten}, To: states.LoginRequired, Update: each(endFlow, because(states.ClientForgotten))},
			{On: events{ClientRejected}, To: states.Failed, Update: each(endFlow, because(states.ClientRejected))},
			tokenUnsaved(),
			loginSuperseded(),
			tokenNonce(),
			instead(row{On: events{LoginRequested}, Update: showAgain, Doc: "joins the open flow and shows its code again"}),
			instead(row{On: events{LoginCancelled}, To: states.LoginRequired, Update: each(endFlow, because(states.LoginCancelled))}),
		},
	}
}

func loginBackoff() block {
	return block{
		Name: states.LoginBackoff, Kind: fsm.Waiting,
		Doc: "The authorization server could not take a step of the login now; the step is tried again at a known time, " +
			"within the login's deadline.",
		Next:   "The step is tried again until it works or the login's time is over.",
		Offers: offers{join(), cancel()},
		Timers: append(retries(), loginTimers("the login's deadline", loginBy)...),
		Rows: rows{
			{On: events{LoginRetryDue}, To: states.Discovering, Update: credentialFailure},
			{On: events{ExchangeRetryDue}, To: states.ExchangingCode, Update: credentialFailure, Doc: "with the same code, which was not spent"},
			except(JobCrashed),
		},
	}
}
