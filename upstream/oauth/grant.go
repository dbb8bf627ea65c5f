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

// Grant types beside those of a browser; all but the device code need no user.
const (
	grantClientCredentials = "client_credentials"
	grantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange"

	// assertionGrant is the type of what an identity provider issues for it.
	assertionGrant = "urn:ietf:params:oauth:token-type:id-jag"
)

// GrantRequest asks for a token without a user.
type GrantRequest struct {
	Scopes []string
	// Assertion is the JWT of a jwt-bearer grant (RFC 7523 section 2.1); without
	// one the client's own credentials are the grant (RFC 6749 section 4.4).
	Assertion credential.Secret
	// Key binds the token, if set (RFC 9449).
	Key        credential.Secret
	Generation uint64
}

// Grant requests a token once.
func Grant(ctx context.Context, hc *http.Client, d credential.Discovery, r credential.Registration,
	g GrantRequest) (credential.Token, error) {
	parameters := url.Values{"grant_type": {grantClientCredentials}}
	if !g.Assertion.IsZero() {
		parameters = url.Values{"grant_type": {grantJWTBearer}, "assertion": {g.Assertion.Reveal()}}
	}
	if d.Resource != "" {
		parameters.Set("resource", d.Resource)
	}
	if len(g.Scopes) > 0 {
		parameters.Set("scope", strings.Join(g.Scopes, " "))
	}
	auth, err := authenticate(r)
	if err != nil {
		return credential.Token{}, err
	}
	sentAt := time.Now().UTC()
	members, err := requestToken(ctx, withProof(hc, g.Key), "the token request", d.TokenEndpoint, auth, parameters, g.Assertion, r.Secret)
	if err != nil {
		return credential.Token{}, err
	}
	token := credential.Token{
		Generation:         g.Generation,
		RequestedScopes:    g.Scopes,
		Scopes:             g.Scopes,
		Issuer:             d.Issuer,
		TokenEndpoint:      d.TokenEndpoint,
		RevocationEndpoint: d.RevocationEndpoint,
		Resource:           d.Resource,
		ClientID:           r.ClientID,
		AuthMethod:         r.AuthMethod,
		Key:                g.Key,
	}
	return take(token, members, sentAt)
}

// IdentityProvider gives out the grant of an enterprise-managed authorization.
type IdentityProvider struct {
	TokenEndpoint string
	Registration  credential.Registration
	// IDToken is the user's, from the enterprise's single sign-on.
	IDToken credential.Secret
}

// ExchangeIdentity exchanges an ID token for an identity assertion grant at the
// identity provider (RFC 8693; MCP extension enterprise-managed authorization).
// The answer is a grant for the authorization server and never sent to a server.
func ExchangeIdentity(ctx context.Context, hc *http.Client, p IdentityProvider, d credential.Discovery) (credential.Secret, error) {
	parameters := url.Values{"grant_type": {grantTokenExchange}, "requested_token_type": {assertionGrant},
		"subject_token": {p.IDToken.Reveal()}, "subject_token_type": {"urn:ietf:params:oauth:token-type:id_token"}, "audience": {d.Issuer}}
	if d.Resource != "" {
		parameters.Set("resource", d.Resource)
	}
	auth, err := authenticate(p.Registration)
	if err != nil {
		return credential.Secret{}, err
	}
	members, err := requestToken(ctx, hc, "the identity's exchange", p.TokenEndpoint, auth, parameters, p.IDToken, p.Registration.Secret)
	if err != nil {
		return credential.Secret{}, err
	}
	if issued := word(members, "issued_token_type"); issued != assertionGrant {
		return credential.Secret{}, &Error{Operation: "the identity's exchange", Class: Unsupported, URL: where(p.TokenEndpoint),
			Err: errors.New("the identity provider issued a token of the type " + clean(issued) + " and not an identity assertion")}
	}
	return credential.NewSecret(word(members, "access_token")), nil
}
