package upstream

import (
	"context"
	"fmt"
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
	done := transitions.Input{Event: transitions.LogoutDone, Payload: transitions.Payload{Revocation: u.revoke(ctx, stored.Token, registration)}}
	if kept, err := u.environment.Store.Load(u.config.Name); err == nil {
		// A damaged record was never loaded: the next login goes on from its generation.
		done.Payload.Generation = kept.Generation
	}
	return done
}

// revoke tells the authorization server, and returns in words what came of it.
func (u *Upstream) revoke(ctx context.Context, token *credential.Token, registration credential.Registration) string {
	switch {
	case token == nil:
		return "there was nothing to revoke"
	case token.RevocationEndpoint == "":
		return "not revoked, as the authorization server has no revocation endpoint"
	}
	limited, cancel := context.WithTimeout(ctx, revocationLimit)
	defer cancel()
	if err := oauth.Revoke(limited, u.authorization, *token, registration); err != nil {
		u.logger.Warn("the token is erased here, but the authorization server did not confirm its revocation", "error", err)
		return "erased here, and the authorization server did not confirm the revocation: " + err.Error()
	}
	return "revoked at the authorization server"
}

// Logout erases the credential and holds until a person logs in again. It
// returns when that is done, or an error that says what stands in the way.
func (u *Upstream) Logout(ctx context.Context) error {
	_, err := u.LogoutOutcome(ctx)
	return err
}

// LogoutOutcome is Logout with what the machine answered to the wish.
func (u *Upstream) LogoutOutcome(ctx context.Context) (transitions.Outcome, error) {
	if !u.config.usesOAuth() {
		// Logged out, it could not be logged in again.
		at := u.Snapshot().Region(states.Credential)
		return transitions.Outcome{Disposition: fsm.Ignored, From: at.State, To: at.State, Epoch: at.Epoch, Reason: "the configuration gives the credential; there is nothing to log out of"}, nil
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
	return out, nil
}
