package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// revocationLimit bounds the courtesy of telling the authorization server.
const revocationLimit = 10 * time.Second

// logOut erases the credential here first and then revokes it there (RFC 7009)
// as far as the server answers.
func (u *Upstream) logOut(ctx context.Context, order transitions.Order) transitions.Input {
	stored, err := u.environment.Store.Load(u.config.Name)
	if err != nil {
		u.logger.Warn("the credential could not be read and is erased without being revoked", "error", err)
	}
	var registration credential.Registration
	if stored.Token != nil {
		registration, err = u.registrationOf(stored.Token)
		if err != nil {
			u.logger.Warn("the token is erased without being revoked", "error", err)
			stored.Token = nil
		}
	}
	if err := u.environment.Store.Logout(u.config.Name, credential.LogoutMark{At: time.Now().UTC()}, u.wants(order)); err != nil {
		return event(transitions.LogoutFailed, fmt.Errorf("the credential could not be erased from the store: %w", err))
	}
	said, alive := u.revoke(ctx, stored.Token, registration)
	done := transitions.Input{Event: transitions.LogoutDone, Payload: transitions.Payload{Revocation: said}}
	if alive != "" {
		done.Payload.Err = errors.New(alive)
		mark := credential.LogoutMark{At: time.Now().UTC(), Alive: alive}
		if err := u.environment.Store.Logout(u.config.Name, mark, u.wants(order)); err != nil {
			u.logger.Error("what is still good at the authorization server could not be noted", "error", err)
		}
	}
	if kept, err := u.environment.Store.Load(u.config.Name); err == nil {
		// A damaged record was never loaded: the next login goes on from its generation.
		done.Payload.Generation = kept.Generation
	}
	return done
}

// revoke tells the authorization server, and returns in words what came of it, and what
// is still good there; "" where nothing is.
func (u *Upstream) revoke(ctx context.Context, token *credential.Token, registration credential.Registration) (said, alive string) {
	const how = " good at the authorization server; to end that, use its own page for connected applications"
	switch {
	case token == nil:
		return "there was nothing to revoke", ""
	case token.RevocationEndpoint == "":
		left := []string{}
		if token.HasRefresh() {
			left = append(left, "the refresh token")
		}
		if token.UsableAt(time.Now()) {
			left = append(left, oauth.AccessToken(*token))
		}
		if len(left) == 0 {
			return "not revoked, as the authorization server has no revocation endpoint", ""
		}
		return "not revoked, as the authorization server has no revocation endpoint", strings.Join(left, " and ") + " stays" + how
	}
	limited, cancel := context.WithTimeout(ctx, revocationLimit)
	defer cancel()
	untilExpiry, err := oauth.Revoke(limited, u.authorization, *token, registration)
	var unconfirmed *oauth.RevocationError
	switch {
	case errors.As(err, &unconfirmed):
		u.logger.Warn("the token is erased here, but the authorization server did not confirm its revocation", "error", err)
		if class, _ := classOf(err); class == oauth.InvalidClient {
			u.clientRefused(registration, err) // so that the next login registers another
		}
		said = "erased here, and the authorization server did not confirm the revocation: " + err.Error()
		return said, strings.Join(unconfirmed.Alive, " and ") + " may stay" + how
	case untilExpiry != "":
		return "revoked at the authorization server, but for " + untilExpiry + ", which it lets end by itself", ""
	}
	return "revoked at the authorization server", ""
}

// Logout erases the credential and holds until a user logs in again. It
// returns when that is done, or an error that says what stands in the way.
func (u *Upstream) Logout(ctx context.Context) error {
	_, err := u.LogoutOutcome(ctx)
	return err
}

// LogoutOutcome is Logout with what the machine answered to the request. The reason of one
// that was done says what is still good at the authorization server, if anything is.
func (u *Upstream) LogoutOutcome(ctx context.Context) (transitions.Outcome, error) {
	if !u.config.usesOAuth() {
		// Logged out, it could not be logged in again.
		at := u.Snapshot().Region(states.Credential)
		return transitions.Outcome{
			Disposition: fsm.Ignored,
			From:        at.State,
			To:          at.State,
			Epoch:       at.Epoch,
			Reason:      "the configuration gives the credential; there is nothing to log out of",
		}, nil
	}
	out, err := u.fire(transitions.Input{Event: transitions.LogoutRequested, Actor: fsm.Person})
	if err != nil || out.Disposition == fsm.Ignored {
		return out, err
	}
	s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		switch s.Region(states.Credential).State {
		case states.LoggedOut, states.Failed, states.Closed:
			return true
		}
		return false
	})
	switch {
	case err != nil:
		return out, fmt.Errorf("%s: the logout was asked for and is not done yet (%s): %w", u.config.Name, s.Region(states.Credential).State, err)
	case s.Region(states.Credential).State != states.LoggedOut:
		return out, fmt.Errorf("%s: the logout failed: %s", u.config.Name, s.Data.CredentialError.Text)
	}
	out.Reason = s.Data.CredentialError.Text // and not why it was postponed, if it was
	return out, nil
}
