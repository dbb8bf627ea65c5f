package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
)

// refreshPause is the pause before a refresh whose outcome is not known is sent again,
// refusedPause that after a refusal that is not known.
const (
	refreshPause = 500 * time.Millisecond
	refusedPause = 2 * time.Second
)

// refresh sends the refresh token once: the intent is on disk before the request
// and the new token is before anything uses it.
func (u *Upstream) refresh(ctx context.Context, order transitions.Order) transitions.Input {
	data := &order.Snapshot.Data
	token := u.located(ctx, data)
	intent := credential.Intent{ID: uuid.NewString(), Generation: token.Generation, StartedAt: time.Now().UTC()}
	if data.Uncertain != nil {
		intent.ID = data.Uncertain.ID // the intent of the attempt whose outcome is not known
	}
	registration, err := u.registrationOf(token)
	if err != nil {
		return u.notSent(err)
	}
	if err := u.environment.Store.BeginRefresh(u.config.Name, intent); err != nil {
		var exists *store.IntentExistsError
		if errors.Is(err, store.ErrGeneration) || errors.Is(err, store.ErrNoRefreshToken) {
			return event(transitions.TokenSuperseded, err)
		}
		if !errors.As(err, &exists) {
			return u.notSent(fmt.Errorf("the refresh was not sent, as it could not be noted on disk before: %w", err))
		}
		return u.lost(order, &exists.Intent, err)
	}
	if ctx.Err() != nil {
		u.takeBack(data, intent)
		return nothing
	}
	// A request that was sent is never given up: not for a deadline that strikes
	// now, not for a shutdown. The client's own timeout bounds it.
	options := oauth.RefreshOptions{SendScope: u.config.OAuth.SendScopeOnRefresh, OmitResource: u.config.OAuth.OmitResource}
	p := proofs{order: order}
	sending := p.context(context.WithoutCancel(ctx))
	renewed, err := oauth.Refresh(sending, u.authorization, *token, registration, options)
	if options.SendScope && codeOf(err) == "invalid_scope" {
		// It was an answer, so that the refresh token was not used.
		options.SendScope = false
		renewed, err = oauth.Refresh(sending, u.authorization, *token, registration, options)
	}
	if err != nil {
		return u.refreshFailed(order, intent, registration, err)
	}
	return u.keepRenewed(ctx, &p, token, renewed)
}

// notSent is a refresh that the disk kept from being sent. The access token is used while
// it works.
func (u *Upstream) notSent(err error) transitions.Input {
	data, now := &u.Snapshot().Data, time.Now()
	if !data.TokenUsable(now) {
		return event(transitions.TokenUnsaved, err)
	}
	in := event(transitions.RefreshEnd(transitions.NotUsed, data, true, now), err)
	in.Payload.Plan(now, 0, max(time.Minute, u.refreshPause(data, now)))
	return in
}

// takeBack settles the intent of a refresh whose state was left while the disk took
// its time: nothing was sent. That an earlier one was sent stays noted.
func (u *Upstream) takeBack(data *states.Data, intent credential.Intent) {
	if data.Uncertain != nil {
		return
	}
	if err := u.environment.Store.EndRefresh(u.config.Name, intent.ID); err != nil {
		u.logger.Error("the intent of a refresh that was not sent could not be erased", "error", err)
	}
}

func (u *Upstream) keepRenewed(ctx context.Context, p *proofs, token *credential.Token, renewed credential.Token) transitions.Input {
	err := u.keepTrying(ctx, "the renewed token", func() error {
		return u.environment.Store.RenewToken(u.config.Name, renewed, token.Generation)
	})
	if errors.Is(err, store.ErrGeneration) {
		return event(transitions.TokenSuperseded, err)
	}
	if err != nil {
		return event(transitions.TokenUnsaved, fmt.Errorf("the renewed token could not be written to the store and is lost: %w", err))
	}
	return transitions.Input{Event: transitions.Refreshed, Payload: transitions.Payload{Token: &renewed, Nonce: p.next}}
}

// registrationOf is the client identity that the token was issued to.
func (u *Upstream) registrationOf(token *credential.Token) (credential.Registration, error) {
	if given := u.preregistered(token.Issuer); given != nil && given.ClientID == token.ClientID {
		return *given, nil
	}
	stored, err := u.environment.Store.Registration(token.Issuer, token.ClientID)
	if err != nil {
		return credential.Registration{}, fmt.Errorf("the client registration could not be read: %w", err)
	}
	if stored != nil {
		return u.configured(*stored), nil
	}
	// A public client needs no more than its id.
	return u.configured(credential.Registration{
		Issuer:     token.Issuer,
		ClientID:   token.ClientID,
		AuthMethod: token.AuthMethod,
		Source:     credential.SourceDynamic,
	}), nil
}

// refreshFailed turns the one classified error into the one event that it is.
func (u *Upstream) refreshFailed(order transitions.Order, intent credential.Intent, registration credential.Registration,
	err error) transitions.Input {
	class, pause := classOf(err)
	switch class {
	case oauth.Ambiguous:
		return u.lost(order, &intent, err)
	case oauth.Rejected:
		if codeOf(err) == "unsupported_grant_type" {
			return u.givenUp(order, transitions.GrantRefused, err) // no refresh token will ever do
		}
		return u.refusedAgain(order, intent, pause, err)
	case oauth.InvalidGrant:
		return u.givenUp(order, transitions.GrantRefused, err)
	case oauth.Spent:
		return u.givenUp(order, transitions.AnswerLost, err)
	case oauth.InvalidClient:
		return u.clientGone(order, registration, err)
	case oauth.Moved:
		return u.postpone(order, transitions.NoEndpoint, intent, pause, err)
	case oauth.NotSent, oauth.Transient:
		return u.postpone(order, transitions.NotUsed, intent, pause, err)
	}
	// Nothing was sent.
	return u.postpone(order, transitions.NotUsed, intent, max(pause, time.Minute), err)
}

// refusedAgain is a refusal in words that do not say whether the refresh token is over. It
// is sent again, as often as is configured: at long intervals while the access token is in
// use, and soon where callers wait.
func (u *Upstream) refusedAgain(order transitions.Order, intent credential.Intent, pause time.Duration, err error) transitions.Input {
	now, present := time.Now(), &u.Snapshot().Data
	usable := present.TokenUsable(now)
	if transitions.RefreshEnd(transitions.Refused, present, usable, now) != transitions.RefreshRefused {
		return u.givenUp(order, transitions.Refused, fmt.Errorf("the refresh token is given up: %w", err))
	}
	if usable {
		pause = max(pause, time.Minute)
	}
	return u.postpone(order, transitions.Refused, intent, max(pause, refusedPause), err)
}

// located is the current token, with the endpoints that its issuer names now where the
// last attempt found none. Where the issuer does not answer, those of before are tried.
func (u *Upstream) located(ctx context.Context, data *states.Data) *credential.Token {
	if !data.MustLocate() {
		return data.Token
	}
	found, err := oauth.Locate(ctx, u.authorization, data.Token.Issuer, u.config.OAuth.MetadataIssuer, u.reach)
	if err != nil {
		u.logger.Warn("the token endpoint is gone, and where it is now is not known", "error", err)
		return data.Token
	}
	token := *data.Token
	token.TokenEndpoint, token.RevocationEndpoint = found.Token, found.Revocation
	return &token
}

// lost is a refresh without an answer: the server may have replaced the refresh
// token. It is sent once more, when the access token no longer works, and not a
// third time.
func (u *Upstream) lost(order transitions.Order, intent *credential.Intent, err error) transitions.Input {
	if order.Snapshot.Data.Uncertain != nil {
		err = fmt.Errorf("the refresh token was sent twice without an answer and is given up: %w", err)
		return u.givenUp(order, transitions.NoAnswer, err)
	}
	now := time.Now()
	in := event(transitions.RefreshEnd(transitions.NoAnswer, &order.Snapshot.Data, u.Snapshot().Data.TokenUsable(now), now), err)
	in.Payload.Intent = intent
	in.Payload.RetryAt = now.Add(refreshPause)
	return in
}

// givenUp erases a refresh token that is of no more use.
func (u *Upstream) givenUp(order transitions.Order, failure transitions.RefreshFailure, err error) transitions.Input {
	data := &order.Snapshot.Data
	why := reasonOf(data)
	if failure == transitions.AnswerLost {
		why = states.AnswerUnreadable
	}
	if in, dropped := u.dropRefresh(data.Token, why, err); !dropped {
		return in
	}
	now := time.Now()
	in := event(transitions.RefreshEnd(failure, data, u.Snapshot().Data.TokenUsable(now), now), err)
	in.Payload.Reason = why
	return in
}

// dropRefresh erases the refresh token from the store and keeps why; where it cannot, it
// returns the outcome that this is.
func (u *Upstream) dropRefresh(token *credential.Token, why states.Reason, err error) (in transitions.Input, dropped bool) {
	switch saved := u.environment.Store.DropRefresh(u.config.Name, token.Generation, verdict(why, err)); {
	case errors.Is(saved, store.ErrGeneration):
		return event(transitions.TokenSuperseded, saved), false
	case saved != nil:
		return event(transitions.TokenUnsaved, saved), false
	}
	return nothing, true
}

func verdict(why states.Reason, err error) credential.Verdict {
	return credential.Verdict{At: time.Now().UTC(), Reason: string(why), Text: err.Error()}
}

// keepVerdict keeps why a login came to nothing, or a credential failed, for the next
// start. That it cannot be kept is no reason to go on otherwise.
func (u *Upstream) keepVerdict(why states.Reason, err error) {
	if saved := u.environment.Store.KeepVerdict(u.config.Name, verdict(why, err)); saved != nil {
		u.logger.Error("why the login came to nothing could not be written to the store", "reason", why, "error", saved)
	}
}

// clientGone is a refresh whose client the authorization server does not take. A refresh
// token of a client that is forgotten is of no more use.
func (u *Upstream) clientGone(order transitions.Order, registration credential.Registration, err error) transitions.Input {
	in := u.clientRefused(registration, err)
	switch in.Event {
	case transitions.ClientForgotten:
		if failed, dropped := u.dropRefresh(order.Snapshot.Data.Token, states.ClientForgotten, err); !dropped {
			return failed
		}
	case transitions.ClientRejected:
		u.keepVerdict(states.ClientRejected, err)
	}
	return in
}

// clientRefused erases a registration that the server has forgotten.
func (u *Upstream) clientRefused(registration credential.Registration, err error) transitions.Input {
	err = oauth.Advise(err, registration, "", nil)
	if registration.Source != credential.SourceDynamic {
		return event(transitions.ClientRejected, err)
	}
	if erased := u.environment.Store.DeleteRegistration(registration.Issuer, registration.ClientID); erased != nil {
		return event(transitions.TokenUnsaved, erased)
	}
	return event(transitions.ClientForgotten, err)
}

// postpone plans the next attempt with the same refresh token; asked is the pause that the
// authorization server asked for.
func (u *Upstream) postpone(order transitions.Order, failure transitions.RefreshFailure, intent credential.Intent, asked time.Duration,
	err error) transitions.Input {
	data := &order.Snapshot.Data
	if data.Uncertain == nil {
		// The refresh token is known not to have been used.
		if saved := u.environment.Store.EndRefresh(u.config.Name, intent.ID); saved != nil {
			return event(transitions.TokenUnsaved, saved)
		}
	}
	now, present := time.Now(), &u.Snapshot().Data
	in := event(transitions.RefreshEnd(failure, present, present.TokenUsable(now), now), err)
	in.Payload.Plan(now, asked, u.refreshPause(present, now))
	return in
}

// refreshPause is the pause after an attempt to renew that has failed: one that grows, also
// with the upstreams that wait for the same.
func (u *Upstream) refreshPause(d *states.Data, now time.Time) time.Duration {
	return max(spread(transitions.RefreshPause(d, now)), u.pace(states.Credential).pause(d.RefreshAttempts))
}

// spread is a pause of a random length up to the longest: those that failed together do
// not come back together.
func spread(longest time.Duration) time.Duration {
	return longest/2 + rand.N(longest/2)
}

// nthPause is the exponential pause with jitter after n failures.
func nthPause(n int, first, longest time.Duration) time.Duration {
	exponential := backoff.NewExponentialBackOff(backoff.WithInitialInterval(first), backoff.WithMaxInterval(longest),
		backoff.WithMultiplier(2), backoff.WithMaxElapsedTime(0))
	var pause time.Duration
	for range min(n, 32) + 1 {
		pause = exponential.NextBackOff()
	}
	return pause
}

// reasonOf is the reason that a failed refresh gives where an earlier one had no
// known outcome.
func reasonOf(d *states.Data) states.Reason {
	if d.Uncertain != nil {
		return states.RotationLost
	}
	return states.RefreshRejected
}

func classOf(err error) (oauth.Class, time.Duration) {
	var classified *oauth.Error
	if errors.As(err, &classified) {
		return classified.Class, classified.RetryAfter
	}
	return oauth.Ambiguous, 0
}

// codeOf is the OAuth error code of a failure, or "".
func codeOf(err error) string {
	var classified *oauth.Error
	if errors.As(err, &classified) {
		return classified.Code
	}
	return ""
}

// retriable reports whether writing again may work.
func retriable(err error) bool {
	return !errors.Is(err, store.ErrGeneration) && !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrUnwanted)
}
