package transitions

import (
	"cmp"
	"time"

	"mcpproxy/states"
)

// showAgainAfter is how long a page counts as just shown: several logins that
// are asked for at the same moment open one tab.
const showAgainAfter = 3 * time.Second

// The least pauses between two attempts of a renewal: that the machine makes by itself
// while no token works, and that calls may cause after that.
const (
	hurriedPause = time.Second
	wantedPause  = 2 * time.Second
)

type update = func(states.Data, *Input) states.Data

// noticing is an update that also takes notice of the time: a token that has expired by
// the event's time works no more, and what replaces one that worked until now is hurried.
func noticing(u update) update {
	return func(d states.Data, in *Input) states.Data {
		worked := d.TokenWorks()
		d = u(d, in)
		if d.Token != nil && !d.Token.UsableAt(in.At) {
			d.Lapsed = d.Token.Generation
		}
		if worked && !d.TokenWorks() && !d.RefreshFailing.IsZero() {
			d.RefreshFailing = in.At // only now someone waits
			if at := d.SoonestAttempt(hurriedPause); at.Before(d.RefreshAt) {
				d.RefreshAt = at
			}
		}
		return d
	}
}

// lapsed is the clock's word that the token has expired.
func lapsed(d states.Data, _ *Input) states.Data {
	if d.Token != nil {
		d.Lapsed = d.Token.Generation
	}
	return d
}

// each applies updates in order.
func each(updates ...update) update {
	return func(d states.Data, in *Input) states.Data {
		for _, u := range updates {
			d = u(d, in)
		}
		return d
	}
}

func demanded(d states.Data, in *Input) states.Data {
	d.DemandedAt = in.At
	return d
}

// credentialFailure keeps what the event says went wrong.
func credentialFailure(d states.Data, in *Input) states.Data {
	if in.Payload.Err != nil {
		d.CredentialError = states.Failure{At: in.At, Text: in.Payload.Err.Error()}
	}
	return d
}

func connectionFailure(d states.Data, in *Input) states.Data {
	if in.Payload.Err != nil {
		d.ConnectionError = states.Failure{At: in.At, Text: in.Payload.Err.Error()}
	}
	return d
}

// reached is for a server that answers, and wants a credential first: what that one
// lacks is the credential's to say.
func reached(d states.Data, _ *Input) states.Data {
	d.ConnectionError = states.Failure{}
	return d
}

// because sets the reason, unless the event brings its own.
func because(reason states.Reason) update {
	return func(d states.Data, in *Input) states.Data {
		d.Reason, d.LoginNeeded = reason, true
		if in.Payload.Reason != "" {
			d.Reason = in.Payload.Reason
		}
		return credentialFailure(d, in)
	}
}

func takeToken(d states.Data, in *Input) states.Data { return d.WithToken(in.Payload.Token) }

// takeIssuedToken is for a token that this process got from the authorization server.
func takeIssuedToken(d states.Data, in *Input) states.Data {
	d = takeNonce(d.WithToken(in.Payload.Token), in)
	d.Issued = d.Generation
	return d
}

// takeNewLogin is for the token of a completed login: old refusals are settled.
func takeNewLogin(d states.Data, in *Input) states.Data {
	d = takeIssuedToken(d, in)
	d.RefusedAt, d.Scopes, d.Challenge, d.DoubtfulClient = nil, nil, states.Challenge{}, ""
	return d
}

// keepGeneration remembers how far the generations got, where there is no token.
func keepGeneration(d states.Data, in *Input) states.Data {
	d.Token, d.LoginNeeded = in.Payload.Token, false
	d.Generation, d.Earlier = max(d.Generation, in.Payload.Generation), in.Payload.Reason
	return credentialFailure(d, in)
}

func takeUncertain(d states.Data, in *Input) states.Data {
	if in.Payload.Token != nil {
		d = d.WithToken(in.Payload.Token)
	}
	d.Uncertain = in.Payload.Intent
	d.RefreshAt = in.Payload.RetryAt
	return credentialFailure(d, in)
}

func accepted(d states.Data, in *Input) states.Data {
	d.Accepted = in.Payload.Generation
	if d.Issued == d.Accepted {
		d.ProposedAt = time.Time{} // the last login was worth its page
	}
	return d
}

func refused(d states.Data, in *Input) states.Data {
	d = d.WithRefusal(in.At)
	d.Challenge = in.Payload.Challenge
	return credentialFailure(d, in)
}

// noteRefused remembers the refusal where what mends it is under way already.
func noteRefused(d states.Data, in *Input) states.Data {
	d.Refused = in.Payload.Generation
	return d
}

func challenged(d states.Data, in *Input) states.Data {
	d.Challenge = in.Payload.Challenge
	return needsLogin(d, in)
}

// needsLogin is for a server that has asked for a login.
func needsLogin(d states.Data, _ *Input) states.Data {
	if d.Token == nil {
		d.LoginNeeded = true
		if d.Reason == "" {
			d.Reason = cmp.Or(d.Earlier, states.NeverLoggedIn)
		}
	}
	return d
}

// noLogin is for a credential that is none of the machine's.
func noLogin(d states.Data, in *Input) states.Data {
	d.LoginNeeded, d.Reason = false, ""
	return demanded(d, in)
}

func missingScopes(d states.Data, in *Input) states.Data {
	d.Challenge = in.Payload.Challenge
	d.Scopes = states.Union(d.Scopes, in.Payload.Challenge.Scopes)
	return credentialFailure(d, in)
}

func beginRefresh(d states.Data, _ *Input) states.Data { return d.WithoutAttempts() }

func scheduleRefresh(d states.Data, in *Input) states.Data {
	d.RefreshAttempts++
	if d.RefreshFailing.IsZero() {
		d.RefreshFailing = in.At
	}
	d.RefreshAt, d.RefreshTried, d.RefreshNotBefore = in.Payload.RetryAt, in.At, in.Payload.NotBefore
	return credentialFailure(d, in)
}

// countRefusal notes that the refresh was refused once more.
func countRefusal(d states.Data, _ *Input) states.Data {
	d.Refusals++
	return d
}

// doubtEndpoint has the token endpoint looked up before the next attempt.
func doubtEndpoint(d states.Data, _ *Input) states.Data {
	if d.Token != nil {
		d.EndpointGone = d.Token.Generation
	}
	return d
}

// loseRefreshToken keeps the access token alone.
func loseRefreshToken(d states.Data, in *Input) states.Data {
	token := *d.Token
	token.Refresh = in.Payload.Code // the zero Secret
	d.Token, d.Uncertain = &token, nil
	return credentialFailure(d.WithoutAttempts(), in)
}

// dropToken is for a credential that is over.
func dropToken(d states.Data, _ *Input) states.Data {
	d.Token, d.Uncertain = nil, nil
	return d.WithoutAttempts()
}

func beginFlow(d states.Data, in *Input) states.Data {
	d = d.WithoutFlow()
	d.FlowID = in.Flow
	d.ShownAt, d.Shown, d.NewClient = in.At, in.Payload.Shown, in.Payload.NewClient
	d.LoginBy = in.At.Add(d.Settings.LoginDeadline)
	return d
}

func beginOwnFlow(d states.Data, in *Input) states.Data {
	d = beginFlow(d, in)
	d.ProposedAt, d.Proposals = in.At, append(d.RecentProposals(in.At), in.At)
	return d
}

func takeFlow(d states.Data, in *Input) states.Data {
	d.Flow, d.FlowID = in.Payload.Flow, in.Payload.Flow.ID
	d.Generation = max(d.Generation, in.Payload.Generation)
	if in.Payload.Token != nil {
		d.Token = in.Payload.Token
	}
	d.LoginBy = d.Flow.Deadline
	return d
}

// takeFlowAgain is takeFlow for the login of before a restart.
func takeFlowAgain(d states.Data, in *Input) states.Data {
	d = takeFlow(d, in)
	d.LoginNeeded = !d.Flow.Optional
	return d
}

// keepCode keeps the authorization code until it is redeemed.
func keepCode(d states.Data, in *Input) states.Data {
	d.Code = in.Payload.Code
	return credentialFailure(d, in)
}

// delayLogin plans the next attempt of a login's step.
func delayLogin(d states.Data, in *Input) states.Data {
	d.LoginAt = in.Payload.RetryAt
	return credentialFailure(d, in)
}

func showAgain(d states.Data, in *Input) states.Data {
	if in.At.Sub(d.ShownAt) < showAgainAfter {
		return d
	}
	if d = doubtClient(d, in); in.Payload.Shown.How == states.NotShown {
		d.Shows++
		d.ShownAt = in.At
	}
	return d
}

func shown(d states.Data, in *Input) states.Data {
	d.Shown = in.Payload.Shown
	if in.Payload.Flow != nil && d.HasFlow(in.Payload.Flow.ID) {
		d.Flow = in.Payload.Flow // its address may be another one
	}
	return d
}

func endFlow(d states.Data, _ *Input) states.Data { return d.WithoutFlow() }

// goOn is for a login that comes to nothing beside a token that works: why the login
// was asked for is over.
func goOn(d states.Data, _ *Input) states.Data {
	d.Reason = ""
	return d
}

// goOnWithout is for a login that comes to nothing where the server had not asked for
// one. Should it ask now, the machine opens no other page at once.
func goOnWithout(reason states.Reason) update {
	return func(d states.Data, in *Input) states.Data {
		d.Token, d.LoginNeeded, d.Reason = nil, false, ""
		d.Earlier, d.ProposedAt = cmp.Or(in.Payload.Reason, reason), in.At
		return credentialFailure(d, in)
	}
}

// doubtClient marks the dynamically registered client of a page that brings no answer:
// where the authorization server has forgotten it, the page shows an error and nothing
// comes back. An answer settles the doubt. What was told a code for a device is known.
func doubtClient(d states.Data, in *Input) states.Data {
	switch {
	case d.Flow == nil || d.Flow.Registration.Source != "dynamic" || !d.Flow.DeviceCode.IsZero() || !d.Code.IsZero():
	case !in.Payload.Answered:
		d.DoubtfulClient = d.Flow.Registration.ClientID
	case d.DoubtfulClient == d.Flow.Registration.ClientID:
		d.DoubtfulClient = ""
	}
	return d
}

func logOut(d states.Data, in *Input) states.Data {
	d = dropToken(d.WithoutFlow(), in)
	d.Generation = max(d.Generation, in.Payload.Generation)
	d.Issued, d.Accepted, d.Refused, d.Lapsed, d.RefusedAt, d.Scopes = 0, 0, 0, 0, nil, nil
	d.LoginNeeded, d.Reason, d.Earlier, d.CredentialError, d.Challenge = true, "", "", states.Failure{}, states.Challenge{}
	return d
}

func connected(d states.Data, in *Input) states.Data {
	d.Connection, d.ConnectedAt = in.Epoch, in.At
	d.Attempts, d.Unsettled, d.RetryAt, d.ConnectionError = 0, d.Attempts, time.Time{}, states.Failure{}
	d.Parts = in.Payload.Parts
	return d
}

func partFailed(d states.Data, in *Input) states.Data {
	for _, part := range in.Payload.Parts {
		d = d.WithPart(part)
	}
	return d
}

func partRestored(d states.Data, in *Input) states.Data {
	for _, part := range in.Payload.Parts {
		d = d.WithoutPart(part.Name)
	}
	return d
}

// withoutParts is for a connection that is over.
func withoutParts(d states.Data, _ *Input) states.Data {
	d.Parts = nil
	return d
}

// sessionLost is for a session that is opened again at once. Should the next one end soon,
// it was no success.
func sessionLost(d states.Data, in *Input) states.Data {
	d.Attempts = d.FailedAttempts(in.At) + 1
	return connectionFailure(withoutParts(d, in), in)
}

// lost is for a connection that broke.
func lost(d states.Data, in *Input) states.Data {
	d.Attempts = d.FailedAttempts(in.At)
	return backOff(withoutParts(d, in), in)
}

func backOff(d states.Data, in *Input) states.Data {
	d.Attempts++
	d.RetryAt, d.ConnectTried, d.ConnectNotBefore = in.Payload.RetryAt, in.At, in.Payload.NotBefore
	return connectionFailure(d, in)
}

func resetAttempts(d states.Data, _ *Input) states.Data {
	d.Attempts, d.Unsettled, d.RetryAt, d.Parts = 0, 0, time.Time{}, nil
	return d
}
