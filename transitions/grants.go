package transitions

import (
	"mcpproxy/fsm"
	"mcpproxy/states"
)

// requestingToken is the way to a token without a user: client credentials, a
// workload's identity, an enterprise's authorization. Discovering and Registering are
// the login's; no browser is on this way.
func requestingToken() block {
	return block{
		Name: states.RequestingToken, Kind: fsm.Working, Tags: tags{Attempting, Passing, Finishing},
		Doc:    "A token is requested with a grant that needs no user; this can only be finished.",
		Next:   "The token is used once it is on disk.",
		Offers: offers{{Event: LoginRequested, Doc: finishing}},
		Job:    job{Name: JobRequestToken, Crashed: JobCrashed},
		Timers: grantDeadline(),
		Rows: rows{
			{On: events{TokenGranted}, To: states.Fresh, Update: takeNewLogin},
			{On: events{IdentityAsserted}, Update: credentialFailure, Doc: "of two requests the first is done"},
			grantRejected(),
			grantFailed(),
			tokenUnsaved(),
			loginSuperseded(),
			tokenNonce(),
			instead(endedByItself()),
			instead(postponed("what has begun can only be finished; the logout follows it", LogoutRequested)),
			instead(postponed("what has sent a one-time secret can only be finished", CredentialShutdown)),
			except(LoginTimedOut, LoginLapsed, LoginAbandoned, LoginCancelled),
		},
	}
}

// Rows that states without a common composite state share.

func grantRejected() row {
	return row{On: events{GrantRejected}, To: states.Failed, Update: each(endFlow, forgetDiscovery, because(states.GrantRejected))}
}

func grantFailed() row {
	return row{On: events{GrantFailed}, To: states.GrantBackoff, Update: each(endFlow, forgetDiscovery, scheduleRefresh),
		Doc: "a token that still works is used meanwhile"}
}

func tokenUnsaved() row {
	return row{On: events{TokenUnsaved}, To: states.Failed, Update: each(endFlow, because(states.StoreFailed))}
}

func loginSuperseded() row {
	return row{On: events{TokenSuperseded}, To: states.LoadingToken, Update: each(endFlow, credentialFailure),
		Doc: "a login that was given up has saved its token after all; it is read"}
}

// codeSpent is said of a login that cannot be taken back.
const codeSpent = "only by its own failure: a code that was sent is spent"

func endedByItself() row {
	return row{On: events{OptionalLoginEnded}, To: states.Anonymous, Guards: guards{openFlow, ownJob},
		Update: each(endFlow, goOnWithout(states.LoginFailed)), Doc: codeSpent}
}

// beginGrant starts the count of attempts again.
func beginGrant(d states.Data, in *Input) states.Data { return beginFlow(d, in).WithoutAttempts() }

// keepDiscovery keeps what was found for the next token of a grant.
func keepDiscovery(d states.Data, in *Input) states.Data {
	d.Discovery = in.Payload.Discovery
	return d
}

// forgetDiscovery has the authorization server looked up again: that a grant came to
// nothing may mean that it has changed.
func forgetDiscovery(d states.Data, _ *Input) states.Data {
	d.Discovery = nil
	return d
}

// identified takes the record of what the token request is for.
func identified(d states.Data, in *Input) states.Data {
	d.Flow = in.Payload.Flow
	return d
}
