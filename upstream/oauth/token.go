package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mcpproxy/credential"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Exchange redeems an authorization code (RFC 6749 section 4.1.3), once.
func Exchange(ctx context.Context, hc *http.Client, f credential.Flow, code credential.Secret, generation uint64) (credential.Token, error) {
	r := f.Registration
	auth, err := authenticate(r)
	if err != nil {
		return credential.Token{}, err
	}
	config := oauth2.Config{ClientID: auth.id, ClientSecret: auth.secret, RedirectURL: f.RedirectURI,
		Endpoint: oauth2.Endpoint{TokenURL: f.TokenEndpoint, AuthStyle: auth.style}}
	options := append(auth.options(), oauth2.VerifierOption(f.Verifier.Reveal()))
	if f.Resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", f.Resource))
	}
	sentAt := time.Now().UTC()
	answer, err := requestToken(ctx, withProof(hc, f.Key), "the code exchange", f.TokenEndpoint, []credential.Secret{code, f.Verifier, r.Secret}, func(ctx context.Context) (*oauth2.Token, error) {
		return config.Exchange(ctx, code.Reveal(), options...)
	})
	if err != nil {
		return credential.Token{}, err
	}
	token := credential.Token{Generation: generation, RequestedScopes: f.Scopes, Scopes: f.Scopes, Issuer: f.Issuer, TokenEndpoint: f.TokenEndpoint,
		RevocationEndpoint: f.RevocationEndpoint, Resource: f.Resource, ClientID: r.ClientID, AuthMethod: r.AuthMethod, Key: f.Key}
	return take(token, answer, sentAt)
}

// RefreshOptions suit authorization servers that insist.
type RefreshOptions struct {
	SendScope    bool
	OmitResource bool
}

// Refresh sends the refresh token once (RFC 6749 section 6) and returns the
// token of the next generation. A server that returns no new refresh token lets
// the old one go on.
func Refresh(ctx context.Context, hc *http.Client, t credential.Token, registration credential.Registration, o RefreshOptions) (credential.Token, error) {
	parameters := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.Refresh.Reveal()}}
	if t.Resource != "" && !o.OmitResource {
		parameters.Set("resource", t.Resource)
	}
	if o.SendScope && len(t.Scopes) > 0 {
		parameters.Set("scope", strings.Join(t.Scopes, " "))
	}
	// x/oauth2's own refresh cannot send a resource indicator; its client
	// credentials request with another grant_type is the same request.
	auth, err := authenticate(registration)
	if err != nil {
		return credential.Token{}, err
	}
	config := clientcredentials.Config{ClientID: auth.id, ClientSecret: auth.secret, TokenURL: t.TokenEndpoint, AuthStyle: auth.style, EndpointParams: auth.add(parameters)}
	sentAt := time.Now().UTC()
	answer, err := requestToken(ctx, withProof(hc, t.Key), "the refresh", t.TokenEndpoint, []credential.Secret{t.Refresh, t.Access, registration.Secret}, config.Token)
	if err != nil {
		return credential.Token{}, err
	}
	next := t
	next.Generation++
	return take(next, answer, sentAt)
}

// take fills a token from an answer (RFC 6749 section 5.1). A token that was asked
// to be bound to a key and is not is refused (RFC 9449 section 5).
func take(t credential.Token, answer *oauth2.Token, sentAt time.Time) (credential.Token, error) {
	t.Access, t.Type, t.ObtainedAt, t.ExpiresAt = credential.NewSecret(answer.AccessToken), "Bearer", sentAt, time.Time{}
	bound := !t.Key.IsZero()
	if wanted := map[bool]string{false: "bearer", true: "dpop"}[bound]; !strings.EqualFold(answer.TokenType, wanted) {
		return credential.Token{}, &Error{Operation: "the token request", Class: Unsupported, URL: where(t.TokenEndpoint),
			Err: errors.New("the token is of the type " + clean(answer.TokenType) + ", which is not the one that was asked for")}
	}
	if bound {
		t.Type = "DPoP"
	}
	if answer.RefreshToken != "" {
		t.Refresh = credential.NewSecret(answer.RefreshToken)
	}
	if !answer.Expiry.IsZero() {
		// x/oauth2 counts from when the answer was read. Counted from when the request
		// was sent, it is never too late.
		if lifetime := time.Until(answer.Expiry).Round(time.Second); lifetime > 0 {
			t.ExpiresAt = sentAt.Add(min(lifetime, 10*365*24*time.Hour))
		}
	}
	if scope, ok := answer.Extra("scope").(string); ok && scope != "" {
		t.Scopes = strings.Fields(scope)
		slices.Sort(t.Scopes)
	}
	return t, nil
}

// requestToken performs a token request and classifies its failure.
func requestToken(ctx context.Context, hc *http.Client, operation, endpoint string, secrets []credential.Secret, request func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	failure := &Error{Operation: operation, URL: where(endpoint)}
	if err := checkURL(endpoint); err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return nil, failure
	}
	ctx, sent := traced(ctx)
	answer, err := request(context.WithValue(ctx, oauth2.HTTPClient, hc))
	if err == nil {
		if known := []string{"", "bearer", "dpop", "n_a"}; !slices.Contains(known, strings.ToLower(answer.TokenType)) {
			failure.Class, failure.Err = Unsupported, errors.New("the token is of the type "+clean(answer.TokenType)+", and only Bearer and DPoP are supported")
			return nil, failure
		}
		return answer, nil
	}
	return nil, classify(failure, err, sent, secrets)
}

func classify(failure *Error, err error, sent *atomic.Bool, secrets []credential.Secret) *Error {
	var answered *oauth2.RetrieveError
	if !errors.As(err, &answered) {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), errors.New(clean(stripURL(err).Error(), secrets...))
		return failure
	}
	failure.Status, failure.RetryAfter = answered.Response.StatusCode, retryAfter(answered.Response.Header)
	failure.Code, failure.Description = clean(answered.ErrorCode, secrets...), clean(answered.ErrorDescription, secrets...)
	failure.Class = classOfStatus(failure.Status)
	if failure.Class != Transient && failure.Code != "" {
		failure.Class = classOfCode(answered.ErrorCode)
	}
	return failure
}

// Revoke asks the authorization server to forget the grant (RFC 7009): the
// refresh token, or the access token where there is none.
func Revoke(ctx context.Context, hc *http.Client, t credential.Token, registration credential.Registration) error {
	secret, hint := t.Refresh, "refresh_token"
	if secret.IsZero() {
		secret, hint = t.Access, "access_token"
	}
	failure := &Error{Operation: "the revocation", URL: where(t.RevocationEndpoint)}
	auth, err := authenticate(registration)
	if err != nil {
		return err
	}
	form := auth.add(url.Values{"token": {secret.Reveal()}, "token_type_hint": {hint}})
	if auth.style != oauth2.AuthStyleInHeader {
		form.Set("client_id", auth.id)
		if auth.secret != "" {
			form.Set("client_secret", auth.secret)
		}
	}
	err = checkURL(t.RevocationEndpoint)
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return failure
	}
	ctx, sent := traced(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.RevocationEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return failure
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if auth.style == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(registration.ClientID), url.QueryEscape(registration.Secret.Reveal()))
	}
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), stripURL(err)
		return failure
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal("the revocation", t.RevocationEndpoint, response, secret, registration.Secret)
	}
	return nil
}
