package transitions

import "mcpproxy/states"

// loginTransitions are the way from a wish to log in to a token. Every failure leads
// back to where it was: to Fresh (LoginAbandoned, LoginLapsed) where the login was for
// more scopes or another account and the earlier token still works, to Anonymous
// (OptionalLoginEnded, OptionalLoginLapsed) where the server had not asked for one, and
// to LoginRequired where there is nothing to go on with.
func loginTransitions() []transition {
	elsewhere := from{states.Anonymous, states.Fresh, states.RefreshQueued, states.RefreshBackoff, states.RefreshPaused}
	discovering, registering := from{states.Discovering}, from{states.Registering}
	timed := from{states.Discovering, states.Registering, states.AwaitingBrowser, states.ExchangingCode, states.AwaitingDevice, states.LoginBackoff}
	open := from{states.Discovering, states.Registering, states.AwaitingBrowser, states.AwaitingDevice, states.LoginBackoff}
	browser, exchanging := from{states.AwaitingBrowser}, from{states.ExchangingCode}
	return []transition{
		{From: from{states.LoginRequired}, Event: LoginRequested, To: states.Discovering, Guards: guards{byPerson}, Update: beginFlow, Main: true, Doc: "no limit for people"},
		{From: elsewhere, Event: LoginRequested, To: states.Discovering, Guards: guards{byPerson}, Update: beginFlow, Doc: "no limit for people"},
		{From: from{states.LoggedOut, states.Failed}, Event: LoginRequested, To: states.Discovering, Guards: guards{byPerson, entryUsable}, Update: beginFlow, Doc: "no limit for people"},
		{From: from{states.LoginRequired}, Event: LoginProposed, To: states.Discovering, Guards: guards{automaticLogin, browserLimit}, Update: beginOwnFlow},
		{From: from{states.Fresh}, Event: LoginProposed, To: states.Discovering, Guards: guards{automaticLogin, scopesMissing, browserLimit}, Update: beginOwnFlow, Doc: "step-up; the token stays in use meanwhile"},

		{From: discovering, Event: Discovered, To: states.Registering, Update: each(credentialFailure, forgetNonce, keepDiscovery), Main: true},
		{From: discovering, Event: NotOAuth, To: states.Failed, Update: each(endFlow, because(states.NotOAuth))},
		{From: discovering, Event: DiscoveryFailed, To: states.LoginRequired, Update: each(endFlow, because(states.DiscoveryFailed))},

		{From: registering, Event: Registered, To: states.AwaitingBrowser, Update: takeFlow, Main: true},
		{From: registering, Event: RegistrationFailed, To: states.LoginRequired, Update: each(endFlow, because(states.RegistrationFailed))},
		{From: registering, Event: RegistrationRejected, To: states.Failed, Update: each(endFlow, because(states.RegistrationFailed))},
		{From: from{states.Registering, states.AwaitingBrowser}, Event: ListenerFailed, To: states.LoginRequired, Update: each(endFlow, because(states.ListenerFailed))},

		{From: browser, Event: LoginRequested, To: states.AwaitingBrowser, Guards: guards{byPerson}, Update: showAgain, Doc: "joins the open flow and shows its page again"},
		{From: browser, Event: BrowserShown, To: states.AwaitingBrowser, Update: shown},
		{From: browser, Event: CodeReceived, To: states.ExchangingCode, Guards: guards{openFlow}, Update: each(doubtClient, keepCode), Main: true},
		{From: browser, Event: LoginDenied, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(doubtClient, endFlow, because(states.LoginDenied))},
		{From: browser, Event: LoginFailed, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(doubtClient, endFlow, because(states.LoginFailed))},

		{From: exchanging, Event: CodeExchanged, To: states.Fresh, Update: takeNewLogin, Main: true},
		{From: exchanging, Event: ExchangeRejected, To: states.LoginRequired, Update: each(endFlow, because(states.ExchangeFailed))},
		{From: exchanging, Event: ClientForgotten, To: states.LoginRequired, Update: each(endFlow, because(states.ClientForgotten))},
		{From: exchanging, Event: ClientRejected, To: states.Failed, Update: each(endFlow, because(states.ClientRejected))},
		{From: exchanging, Event: TokenUnsaved, To: states.Failed, Update: each(endFlow, because(states.StoreFailed))},
		{From: from{states.ExchangingCode, states.AwaitingDevice, states.RequestingToken}, Event: TokenSuperseded, To: states.LoadingToken, Update: each(endFlow, credentialFailure), Doc: "a login that was given up has saved its token after all; it is read"},

		{From: from{states.Discovering, states.Registering, states.ExchangingCode}, Event: LoginDelayed, To: states.LoginBackoff, Update: delayLogin, Doc: "nothing was spent"},
		{From: from{states.LoginBackoff}, Event: LoginRetryDue, To: states.Discovering, Update: credentialFailure},
		{From: from{states.LoginBackoff}, Event: ExchangeRetryDue, To: states.ExchangingCode, Update: credentialFailure, Doc: "with the same code, which was not spent"},

		{From: from{states.Discovering, states.Registering, states.AwaitingBrowser, states.LoginBackoff}, Event: LoginCancelled, To: states.LoginRequired, Guards: guards{byPerson}, Update: each(doubtClient, endFlow, because(states.LoginCancelled))},
		{From: timed, Event: LoginTimedOut, To: states.LoginRequired, Update: each(doubtClient, endFlow, because(states.LoginTimedOut))},
		{From: timed, Event: LoginLapsed, To: states.Fresh, Update: each(doubtClient, endFlow, goOn)},
		{From: append(from{states.RequestingToken}, timed...), Event: OptionalLoginLapsed, To: states.Anonymous, Update: each(doubtClient, endFlow, goOnWithout(states.LoginTimedOut))},
		{From: open, Event: OptionalLoginEnded, To: states.Anonymous, Guards: guards{openFlow}, Update: each(doubtClient, endFlow, goOnWithout(states.LoginFailed))},
		{From: from{states.ExchangingCode, states.RequestingToken}, Event: OptionalLoginEnded, To: states.Anonymous, Guards: guards{openFlow, ownJob}, Update: each(endFlow, goOnWithout(states.LoginFailed)), Doc: "only by its own failure: a code that was sent is spent"},
		{From: open, Event: LoginAbandoned, To: states.Fresh, Guards: guards{openFlow}, Update: each(doubtClient, endFlow, goOn, credentialFailure)},
		{From: exchanging, Event: LoginAbandoned, To: states.Fresh, Guards: guards{openFlow, ownJob}, Update: each(endFlow, goOn, credentialFailure), Doc: "only by its own failure: a code that was sent is spent"},
		{From: loginJobs, Event: JobCrashed, To: states.Failed, Update: each(endFlow, because(states.Crashed))},

		{From: discovering, Event: TokenRefused, To: states.Discovering, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
		{From: registering, Event: TokenRefused, To: states.Registering, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
		{From: browser, Event: TokenRefused, To: states.AwaitingBrowser, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
		{From: exchanging, Event: TokenRefused, To: states.ExchangingCode, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
		{From: from{states.LoginBackoff}, Event: TokenRefused, To: states.LoginBackoff, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
	}
}
