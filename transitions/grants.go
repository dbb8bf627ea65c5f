package transitions

import "mcpproxy/states"

// grantTransitions are the way to a token without a person: client credentials,
// a workload's identity, an enterprise's authorization. Discovering and
// Registering are the login's; no browser is on this way.
func grantTransitions() []transition {
	underway := from{states.Discovering, states.Registering, states.RequestingToken}
	requesting := from{states.RequestingToken}
	return []transition{
		{From: from{states.LoginRequired}, Event: GrantDue, To: states.Discovering, Guards: guards{unattended, tokensTaken}, Update: beginGrant},
		{From: from{states.Fresh}, Event: GrantRenewDue, To: states.Discovering, Guards: guards{unattended}, Update: beginGrant, Doc: "requests flow on the old token meanwhile"},
		{From: from{states.Registering}, Event: ClientIdentified, To: states.RequestingToken, Guards: guards{unattended}, Update: identified},
		{From: requesting, Event: IdentityAsserted, To: states.RequestingToken, Update: credentialFailure, Doc: "of two requests the first is done"},
		{From: requesting, Event: TokenGranted, To: states.Fresh, Update: takeNewLogin},
		{From: requesting, Event: TokenUnsaved, To: states.Failed, Update: each(endFlow, because(states.StoreFailed))},
		{From: underway, Event: GrantRejected, To: states.Failed, Update: each(endFlow, forgetDiscovery, because(states.GrantRejected))},
		{From: underway, Event: GrantFailed, To: states.GrantBackoff, Update: each(endFlow, forgetDiscovery, scheduleRefresh), Doc: "a token that still works is used meanwhile"},
		{From: from{states.GrantBackoff}, Event: GrantRetryDue, To: states.Discovering},
		{From: from{states.GrantBackoff}, Event: RetryRequested, To: states.Discovering, Guards: guards{byPerson}},
		{From: from{states.GrantBackoff}, Event: TokenWanted, To: states.Discovering, Guards: guards{attemptDue}, Doc: "not more often than every few seconds"},
		{From: from{states.GrantBackoff}, Event: LoginRequested, To: states.Discovering, Guards: guards{byPerson}, Update: beginFlow},
		{From: from{states.GrantBackoff}, Event: TokenRefused, To: states.GrantBackoff, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the next attempt"},
		{From: requesting, Event: TokenRefused, To: states.RequestingToken, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the grant"},
	}
}

// deviceTransitions are the login with a code that is entered on another device
// (RFC 8628), for machines without a browser.
func deviceTransitions() []transition {
	device := from{states.AwaitingDevice}
	return []transition{
		{From: from{states.Registering}, Event: DeviceCodeIssued, To: states.AwaitingDevice, Update: takeFlow},
		{From: device, Event: LoginRequested, To: states.AwaitingDevice, Guards: guards{byPerson}, Update: showAgain, Doc: "joins the open flow and shows its code again"},
		{From: device, Event: BrowserShown, To: states.AwaitingDevice, Update: shown},
		{From: device, Event: CodeExchanged, To: states.Fresh, Update: takeNewLogin},
		{From: device, Event: TokenUnsaved, To: states.Failed, Update: each(endFlow, because(states.StoreFailed))},
		{From: device, Event: LoginDenied, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(endFlow, because(states.LoginDenied))},
		{From: device, Event: LoginFailed, To: states.LoginRequired, Guards: guards{openFlow}, Update: each(endFlow, because(states.LoginFailed))},
		{From: device, Event: ClientForgotten, To: states.LoginRequired, Update: each(endFlow, because(states.ClientForgotten))},
		{From: device, Event: ClientRejected, To: states.Failed, Update: each(endFlow, because(states.ClientRejected))},
		{From: device, Event: LoginCancelled, To: states.LoginRequired, Guards: guards{byPerson}, Update: each(endFlow, because(states.LoginCancelled))},
		{From: device, Event: TokenRefused, To: states.AwaitingDevice, Guards: guards{currentGeneration}, Update: noteRefused, Doc: "waits for the login"},
	}
}

// beginGrant starts the count of attempts anew.
func beginGrant(d states.Data, in *Input) states.Data { return beginFlow(d, in).WithoutAttempts() }

// keepDiscovery keeps what was found for the next token of a grant.
func keepDiscovery(d states.Data, in *Input) states.Data {
	d.Discovery = in.Payload.Discovery
	return d
}

// forgetDiscovery has the authorization server looked up anew: that a grant came to
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
