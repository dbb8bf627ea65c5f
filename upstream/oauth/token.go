package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"mcpproxy/credential"
)

// Exchange redeems an authorization code (RFC 6749 section 4.1.3), once.
func Exchange(ctx context.Context, hc *http.Client, f credential.Flow, code credential.Secret,
	generation uint64) (credential.Token, error) {
	r := f.Registration
	auth, err := authenticate(r)
	if err != nil {
		return credential.Token{}, err
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "code_verifier": {f.Verifier.Reveal()},
		"redirect_uri": {f.RedirectURI}}
	if f.Resource != "" {
		form.Set("resource", f.Resource)
	}
	sentAt := time.Now().UTC()
	members, err := requestToken(ctx, withProof(hc, f.Key), "the code exchange", f.TokenEndpoint, auth, form, code, f.Verifier, r.Secret)
	if err != nil {
		return credential.Token{}, err
	}
	return take(flowToken(f, generation), members, sentAt)
}

// flowToken is what is known of the token that a flow ends in.
func flowToken(f credential.Flow, generation uint64) credential.Token {
	return credential.Token{
		Generation:         generation,
		RequestedScopes:    f.Scopes,
		Scopes:             f.Scopes,
		Issuer:             f.Issuer,
		TokenEndpoint:      f.TokenEndpoint,
		RevocationEndpoint: f.RevocationEndpoint,
		Resource:           f.Resource,
		ClientID:           f.Registration.ClientID,
		AuthMethod:         f.Registration.AuthMethod,
		Key:                f.Key,
	}
}

// RefreshOptions suit authorization servers that insist.
type RefreshOptions struct {
	SendScope    bool
	OmitResource bool
}

// Refresh sends the refresh token once (RFC 6749 section 6) and returns the
// token of the next generation. A server that returns no new refresh token lets
// the old one go on. Whatever was answered with success and brings no token that
// can be used is [Spent], except a page: it is no answer of the server.
func Refresh(ctx context.Context, hc *http.Client, t credential.Token, registration credential.Registration,
	o RefreshOptions) (credential.Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Reveal()}}
	if t.Resource != "" && !o.OmitResource {
		form.Set("resource", t.Resource)
	}
	if o.SendScope && len(t.Scopes) > 0 {
		form.Set("scope", strings.Join(t.Scopes, " "))
	}
	auth, err := authenticate(registration)
	if err != nil {
		return credential.Token{}, err
	}
	sentAt := time.Now().UTC()
	members, err := requestToken(ctx, withProof(hc, t.Key), refreshing, t.TokenEndpoint, auth, form, t.Refresh, t.Access,
		registration.Secret)
	if err != nil {
		return credential.Token{}, err
	}
	next := t
	next.Generation++
	next, err = take(next, members, sentAt)
	var failure *Error
	if errors.As(err, &failure) {
		failure.Class = Spent
	}
	return next, err
}

// take fills a token from the members of an answer (RFC 6749 section 5.1). A token that
// was asked to be bound to a key and is not is refused (RFC 9449 section 5).
func take(t credential.Token, members map[string]any, sentAt time.Time) (credential.Token, error) {
	kind, stated, err := typeOf(word(members, "token_type"), !t.Key.IsZero())
	if err != nil {
		return credential.Token{}, &Error{Operation: "the token request", Class: Unsupported, URL: where(t.TokenEndpoint), Err: err}
	}
	access := word(members, "access_token")
	if strings.ContainsFunc(access, unicode.IsControl) {
		return credential.Token{}, &Error{Operation: "the token request", Class: Unsupported, URL: where(t.TokenEndpoint),
			Err: errors.New("the token has control characters in it, and no header can carry it")}
	}
	t.Access, t.Type, t.StatedType, t.ObtainedAt, t.ExpiresAt = credential.NewSecret(access), kind, stated, sentAt, time.Time{}
	if refresh := word(members, "refresh_token"); refresh != "" {
		t.Refresh = credential.NewSecret(refresh)
	}
	if life := seconds(members, "expires_in"); life > 0 {
		t.ExpiresAt = sentAt.Add(life) // counted from when it was asked for, it is never too late
	}
	if scopes := scopesOf(members, "scope"); len(scopes) > 0 {
		t.Scopes = scopes
	}
	return t, nil
}

// typeOf is how a token is used, and what the server calls its type where that is neither
// Bearer nor DPoP. Servers leave the type out, and some give it names of their own for
// what is a bearer token (Slack's user and bot). What needs a proof that nobody asked for
// is refused, and what is no access token.
func typeOf(said string, bound bool) (kind, stated string, err error) {
	switch fold(said) {
	case "":
		if bound {
			return "DPoP", "", nil
		}
		return "Bearer", "", nil
	case "bearer", "bearertoken":
		if bound {
			return "", "", errors.New("the token is of the type Bearer, and one that is bound to a key was asked for")
		}
		return "Bearer", "", nil
	case "dpop":
		if !bound {
			return "", "", errors.New("the token is bound to a key that was not asked for (DPoP)")
		}
		return "DPoP", "", nil
	case "mac", "pop", "na":
		return "", "", fmt.Errorf("the token is of the type %s, and only Bearer and DPoP are supported", clean(said))
	}
	if bound {
		return "", "", fmt.Errorf("the token is of the type %s, and one that is bound to a key was asked for", clean(said))
	}
	return "Bearer", clean(said), nil
}
