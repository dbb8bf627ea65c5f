package oauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"mcpproxy/credential"

	"golang.org/x/oauth2"
)

// NewDeviceFlow asks for a device code (RFC 8628 section 3.1). The caller gives the
// flow its id and shows its address and code to a person.
func NewDeviceFlow(ctx context.Context, hc *http.Client, d credential.Discovery, registration credential.Registration, r FlowRequest) (credential.Flow, error) {
	failure := &Error{Operation: "the device authorization request", URL: where(d.DeviceEndpoint)}
	if d.DeviceEndpoint == "" {
		failure.Class, failure.URL, failure.Err = Unsupported, where(d.Issuer), errors.New("the authorization server has no device authorization endpoint (RFC 8628)")
		return credential.Flow{}, failure
	}
	if err := checkURL(d.DeviceEndpoint); err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return credential.Flow{}, failure
	}
	auth, err := authenticate(registration)
	if err != nil {
		return credential.Flow{}, err
	}
	wanted := SelectScopes(d, r)
	config := oauth2.Config{ClientID: auth.id, ClientSecret: auth.secret, Scopes: wanted, Endpoint: oauth2.Endpoint{DeviceAuthURL: d.DeviceEndpoint, AuthStyle: auth.style}}
	options := auth.options()
	if d.Resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", d.Resource))
	}
	ctx, sent := traced(ctx)
	answer, err := config.DeviceAuth(context.WithValue(ctx, oauth2.HTTPClient, hc), options...)
	if err != nil {
		return credential.Flow{}, classify(failure, err, sent, []credential.Secret{registration.Secret})
	}
	now := time.Now().UTC()
	flow := credential.Flow{StartedAt: now, Deadline: now.Add(r.Lifetime), Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint, RevocationEndpoint: d.RevocationEndpoint,
		Resource: d.Resource, Scopes: wanted, Registration: registration, Key: r.Key, DeviceCode: credential.NewSecret(answer.DeviceCode), UserCode: answer.UserCode,
		PollInterval: time.Duration(answer.Interval) * time.Second, AuthorizationURL: credential.NewSecret(answer.VerificationURI)}
	if answer.VerificationURIComplete != "" {
		flow.AuthorizationURL = credential.NewSecret(answer.VerificationURIComplete)
	}
	if !answer.Expiry.IsZero() && answer.Expiry.Before(flow.Deadline) {
		flow.Deadline = answer.Expiry.UTC()
	}
	return flow, nil
}

// AwaitDevice polls for the person's answer (RFC 8628 section 3.4), at the pace that
// the server asks for, until there is one or ctx ends.
func AwaitDevice(ctx context.Context, hc *http.Client, f credential.Flow, generation uint64) (credential.Token, error) {
	r := f.Registration
	auth, err := authenticate(r)
	if err != nil {
		return credential.Token{}, err
	}
	config := oauth2.Config{ClientID: auth.id, ClientSecret: auth.secret, Endpoint: oauth2.Endpoint{TokenURL: f.TokenEndpoint, AuthStyle: auth.style}}
	options := auth.options()
	if f.Resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", f.Resource))
	}
	code := &oauth2.DeviceAuthResponse{DeviceCode: f.DeviceCode.Reveal(), Expiry: f.Deadline, Interval: max(1, int64(f.PollInterval/time.Second))}
	var answeredAt time.Time
	answer, err := requestToken(ctx, withProof(hc, f.Key), "the device login", f.TokenEndpoint, []credential.Secret{f.DeviceCode, r.Secret}, func(ctx context.Context) (*oauth2.Token, error) {
		answer, err := config.DeviceAccessToken(ctx, code, options...)
		answeredAt = time.Now().UTC()
		return answer, err
	})
	if err != nil {
		return credential.Token{}, err
	}
	token := credential.Token{Generation: generation, RequestedScopes: f.Scopes, Scopes: f.Scopes, Issuer: f.Issuer, TokenEndpoint: f.TokenEndpoint,
		RevocationEndpoint: f.RevocationEndpoint, Resource: f.Resource, ClientID: r.ClientID, AuthMethod: r.AuthMethod, Key: f.Key}
	return take(token, answer, answeredAt)
}
