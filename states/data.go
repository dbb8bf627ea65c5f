package states

import (
	"slices"
	"time"

	"mcpproxy/credential"
)

// Data is what an upstream's machine knows. It is a value: transitions replace
// it and never change what a pointer or slice in it refers to.
type Data struct {
	Settings Settings

	// Token is the current token, on disk before it gets here; nil without one.
	Token *credential.Token
	// Generation is that of the newest token there ever was, kept over a logout.
	Generation uint64
	// Issued is the generation that this process obtained last, by refresh or
	// login; 0 while it only loaded one.
	Issued uint64
	// Accepted is the newest generation that the resource server took.
	Accepted uint64
	// Refused is the newest generation that the resource server answered with 401.
	Refused uint64
	// Lapsed is the newest generation whose expiry the machine knows to have come.
	Lapsed uint64
	// RefusedAt are the times of the last refreshes that a 401 caused, oldest first.
	RefusedAt []time.Time

	// Discovery is what was found out last about the authorization server; nil where it is
	// to be asked again.
	Discovery *credential.Discovery
	// TokenNonce is what the token endpoint wants in the next proof; empty while none is
	// known. It is no secret.
	TokenNonce string

	// RefreshAttempts counts the failed attempts of the present refresh.
	RefreshAttempts int
	// RefreshAt is when the next attempt is due.
	RefreshAt time.Time
	// RefreshFailing is since when the attempts have failed, or, where a token still worked
	// then, since when none works. RefreshTried is when the last one failed, and
	// RefreshNotBefore what the authorization server asked for by Retry-After.
	RefreshFailing, RefreshTried, RefreshNotBefore time.Time
	// Refusals counts how often the present refresh was refused in words that do not say
	// what about.
	Refusals int
	// EndpointGone is the newest generation whose refresh found no token endpoint; where
	// that is now is looked up before the next attempt.
	EndpointGone uint64
	// Uncertain is a refresh whose outcome nobody knows; nil mostly.
	Uncertain *credential.Intent

	// FlowID is the authorization flow that is open; empty without one.
	FlowID string
	// Flow is its record, from the moment at which the browser may be opened.
	Flow *credential.Flow
	// Code is the authorization code, from when it came until it is redeemed.
	Code credential.Secret
	// LoginBy is until when the login's steps are tried again, LoginAt when the next
	// attempt is due.
	LoginBy, LoginAt time.Time
	// LoginNeeded says that nothing is sent without a token: the server has asked for one,
	// the one that there was is over, or a user logged out.
	LoginNeeded bool
	// Shows counts how often a user asked to see the open flow's page, asking
	// again within a few seconds not counted.
	Shows   int
	ShownAt time.Time
	// Shown says what became of showing the open flow's page.
	Shown Shown
	// ProposedAt is when the machine last began a login by itself, until the resource
	// server takes a token that a login brought; Proposals are all of the last hour.
	ProposedAt time.Time
	Proposals  []time.Time
	// NewClient says that the open flow is to register a client of its own.
	NewClient bool
	// DoubtfulClient is a registered client id whose page has brought no answer so far;
	// the next login registers another, as the server may have forgotten it.
	DoubtfulClient string

	// Challenge is the last challenge of the resource server.
	Challenge Challenge
	// Scopes are those that the resource server said are missing.
	Scopes []string

	// Reason is why a login is required or the credential failed. Earlier is why the last
	// login came to nothing, or the one before the restart is over, where it is not known
	// yet whether another is needed.
	Reason, Earlier Reason
	// CredentialError and ConnectionError are the last failures in each region.
	CredentialError Failure
	ConnectionError Failure

	// Connection is the epoch of the attempt that made the present connection.
	Connection uint64
	// ConnectedAt is when the present connection, or the last one, was made.
	ConnectedAt time.Time
	// Parts are those of the present connection that are missing, by name.
	Parts []Part
	// Attempts counts the failed connection attempts since the last success; Unsettled is
	// how many there were before it.
	Attempts, Unsettled int
	// RetryAt is when the next one is due.
	RetryAt time.Time
	// ConnectTried is when the last attempt failed, and ConnectNotBefore what the server
	// asked for by Retry-After.
	ConnectTried, ConnectNotBefore time.Time
	// DemandedAt is when the connection last asked for a credential.
	DemandedAt time.Time
}

// Settings are the parts of an upstream's configuration that decide.
type Settings struct {
	// AutomaticLogin lets the machine open a browser by itself.
	AutomaticLogin bool
	// Unattended says that the configured grant needs no user, so that the machine
	// obtains tokens by itself and opens no browser.
	Unattended bool
	// Problem is why the entry of the configuration cannot be used, in words; nothing is
	// sent for one that has it. Empty mostly.
	Problem string
	// BrowserInterval is the least time between two logins that the machine
	// begins by itself. Users are not limited.
	BrowserInterval time.Duration
	// BrowserBudget is how many logins the machine may begin by itself within an
	// hour, also where each of them succeeds.
	BrowserBudget int
	// RefreshAttempts is how often a refusal whose meaning is not known is met before a login
	// is required.
	RefreshAttempts int
	// RefreshBudget is for how long a renewal is tried every second while no token works.
	// After it the pauses grow.
	RefreshBudget time.Duration
	// ForcedRefreshes is how many refreshes a resource server may cause by 401
	// within ForcedWindow before its refusals are taken for final.
	ForcedRefreshes int
	ForcedWindow    time.Duration
	// LoginDeadline bounds an authorization flow, ConnectDeadline one connection attempt.
	LoginDeadline   time.Duration
	ConnectDeadline time.Duration
}

// DefaultSettings are those of an upstream that configures nothing.
func DefaultSettings() Settings {
	return Settings{
		BrowserInterval: 5 * time.Minute,
		BrowserBudget:   6,
		RefreshAttempts: 3,
		RefreshBudget:   2 * time.Minute,
		ForcedRefreshes: 5,
		ForcedWindow:    time.Minute,
		LoginDeadline:   5 * time.Minute,
		ConnectDeadline: 30 * time.Second,
	}
}

// Challenge is what a resource server's WWW-Authenticate header asked for
// (RFC 6750 section 3, RFC 9728 section 5.1).
type Challenge struct {
	// Scheme is Bearer or DPoP.
	Scheme           string
	Error            string
	Description      string
	ResourceMetadata string
	Scopes           []string
}

// Failure is the last thing that went wrong, in words.
type Failure struct {
	At   time.Time
	Text string
}

// MustLocate reports whether the token endpoint of the present token is to be looked up.
func (d *Data) MustLocate() bool { return d.Token != nil && d.EndpointGone == d.Token.Generation }

// lasting is how long a connection has to last for what came before it to be over.
const lasting = time.Minute

// FailedAttempts is how many attempts have failed where the present connection is lost
// at now. One that breaks soon after it was made was no success: a server that is there
// for a moment only is not asked again, for ever, as soon as one that was there for long.
func (d *Data) FailedAttempts(now time.Time) int {
	if now.Sub(d.ConnectedAt) < lasting {
		return d.Unsettled
	}
	return 0
}

// HasFlow reports whether id is the open flow.
func (d *Data) HasFlow(id string) bool { return id != "" && d.FlowID == id }

// KeepsToken reports whether there is a token that the resource server has not
// refused, so that a login that comes to nothing leaves something to go on with.
func (d *Data) KeepsToken() bool { return d.Token != nil && d.Token.Generation != d.Refused }

// TokenWorks reports whether there is a token that, as the machine knows, has neither
// expired nor been refused.
func (d *Data) TokenWorks() bool { return d.KeepsToken() && d.Token.Generation != d.Lapsed }

// TokenUsable is TokenWorks for a moment whose passing the machine may not know yet.
func (d *Data) TokenUsable(now time.Time) bool { return d.TokenWorks() && d.Token.UsableAt(now) }

// WorksWithout reports whether requests are sent without a token, which there is none of.
func (d *Data) WorksWithout() bool { return d.Token == nil && !d.LoginNeeded }

// Works reports whether a connection can carry requests, with a token or without one.
func (d *Data) Works() bool { return d.TokenWorks() || d.WorksWithout() }

// SoonestAttempt is when a renewal may be tried again at the earliest, pause after the
// last attempt and not before the authorization server wants it.
func (d *Data) SoonestAttempt(pause time.Duration) time.Time {
	if at := d.RefreshTried.Add(pause); at.After(d.RefreshNotBefore) {
		return at
	}
	return d.RefreshNotBefore
}

// FailsFor is for how long a renewal has failed by now.
func (d *Data) FailsFor(now time.Time) time.Duration {
	if d.RefreshFailing.IsZero() {
		return 0
	}
	return now.Sub(d.RefreshFailing)
}

// RefusalIsFinal reports whether a 401 about the current token ends in a login
// instead of a refresh: the token was obtained just now and never accepted, or
// the resource server has caused too many refreshes already. A token that lay there
// unused for longer than the window may have ended for any reason.
func (d *Data) RefusalIsFinal(now time.Time) bool {
	if d.Token == nil {
		return false
	}
	unused := d.Issued == d.Token.Generation && d.Accepted != d.Token.Generation
	if unused && now.Sub(d.Token.ObtainedAt) < d.Settings.ForcedWindow {
		return true
	}
	return len(d.recentRefusals(now)) >= d.Settings.ForcedRefreshes
}

func (d *Data) recentRefusals(now time.Time) []time.Time {
	since := now.Add(-d.Settings.ForcedWindow)
	return slices.DeleteFunc(slices.Clone(d.RefusedAt), func(at time.Time) bool { return at.Before(since) })
}

// RecentProposals are the logins that the machine began by itself in the hour before now.
func (d *Data) RecentProposals(now time.Time) []time.Time {
	since := now.Add(-time.Hour)
	return slices.DeleteFunc(slices.Clone(d.Proposals), func(at time.Time) bool { return !at.After(since) })
}

// WithRefusal records that the current generation was refused at now.
func (d Data) WithRefusal(now time.Time) Data {
	d.RefusedAt = append(d.recentRefusals(now), now)
	if d.Token != nil {
		d.Refused = d.Token.Generation
	}
	return d
}

// WithToken makes token the current one and forgets what the way to it needed.
func (d Data) WithToken(token *credential.Token) Data {
	d.Token, d.Generation = token, token.Generation
	d.Uncertain, d.Lapsed, d.LoginNeeded = nil, 0, false
	d.Reason, d.Earlier, d.CredentialError = "", "", Failure{}
	return d.WithoutAttempts().WithoutFlow()
}

// WithoutAttempts forgets the failed attempts of a renewal.
func (d Data) WithoutAttempts() Data {
	d.RefreshAttempts, d.Refusals, d.RefreshAt = 0, 0, time.Time{}
	d.RefreshFailing, d.RefreshTried, d.RefreshNotBefore = time.Time{}, time.Time{}, time.Time{}
	return d
}

// WithoutFlow ends the open flow.
func (d Data) WithoutFlow() Data {
	d.FlowID, d.Flow, d.Shows, d.ShownAt, d.Shown, d.NewClient = "", nil, 0, time.Time{}, Shown{}, false
	d.Code, d.LoginBy, d.LoginAt = credential.Secret{}, time.Time{}, time.Time{}
	return d
}

// Union returns the scopes of both, in a stable order, without repeats.
func Union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
