package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"
)

// RevocationError says that the authorization server did not confirm that it has forgotten
// what is Alive.
type RevocationError struct {
	// Alive is what may be good there still, in words.
	Alive []string
	Err   error
}

func (e *RevocationError) Error() string { return e.Err.Error() }

// Unwrap returns the refusal.
func (e *RevocationError) Unwrap() error { return e.Err }

// Revoke asks the authorization server to forget the grant (RFC 7009): the refresh token
// first, and then the access token, which some let go on without it. An error is a
// [*RevocationError]. The second result says what is good there until it ends by itself,
// where the server has revoked the grant and does not revoke access tokens.
func Revoke(ctx context.Context, hc *http.Client, t credential.Token,
	registration credential.Registration) (untilExpiry string, err error) {
	var failure RevocationError
	whole := false // the refresh token is revoked
	revoke := func(secret credential.Secret, hint, words string) (unsupported bool) {
		err := revokeOne(ctx, hc, t.RevocationEndpoint, registration, secret, hint)
		var refused *Error
		switch isRefused := errors.As(err, &refused); {
		case isRefused && refused.Code == "unsupported_token_type":
			unsupported = true
		case isRefused && whole && endedThere(refused):
			return false
		}
		if err != nil {
			failure.Alive, failure.Err = append(failure.Alive, words), errors.Join(failure.Err, err)
		}
		return unsupported
	}
	if !t.HasRefresh() {
		if revoke(t.Access, "access_token", AccessToken(t)); failure.Err != nil {
			return "", &failure
		}
		return "", nil
	}
	revoke(t.Refresh, "refresh_token", "the refresh token")
	whole = failure.Err == nil
	if t.UsableAt(time.Now()) && revoke(t.Access, "access_token", AccessToken(t)) && whole {
		return AccessToken(t), nil
	}
	if failure.Err != nil {
		return "", &failure
	}
	return "", nil
}

// AccessToken is an access token in words, with its end.
func AccessToken(t credential.Token) string {
	if t.ExpiresAt.IsZero() {
		return "the access token"
	}
	return "the access token (until " + t.ExpiresAt.UTC().Format(time.RFC3339) + ")"
}

// endedThere reports whether a refusal says that the token is none any more, as Google does
// of an access token whose refresh token was revoked before. One under 401 or 403 may be
// about the client.
func endedThere(refused *Error) bool {
	needsUser := strings.HasSuffix(refused.Code, "_required") || refused.Code == "access_denied"
	return refused.Class == InvalidGrant && !needsUser && refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden
}

// revokeOne asks for the end of one token. Any success will do, 204 too, that holds no
// refusal; a page is no answer of the server.
func revokeOne(ctx context.Context, hc *http.Client, endpoint string, r credential.Registration, secret credential.Secret,
	hint string) error {
	r.TokenParameters = nil // they are for the token endpoint
	auth, err := authenticate(r)
	if err != nil {
		return err
	}
	failure := &Error{Operation: "the revocation"}
	a, err := post(ctx, hc, failure, endpoint, auth, url.Values{"token": {secret.Reveal()}, "token_type_hint": {hint}}, secret, r.Secret)
	if err == nil && (a.page || refuses(a.members)) {
		return a.refusal(failure, secret, r.Secret)
	}
	return err
}
