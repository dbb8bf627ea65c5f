package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
	"mcpproxy/userfile"
)

// Grant is how a token is come by.
type Grant string

// The grants. All but the first two need no user.
const (
	AuthorizationCode Grant = "authorization_code" // a browser (RFC 6749 section 4.1)
	DeviceCode        Grant = "device_code"        // a code entered on another device (RFC 8628)
	ClientCredentials Grant = "client_credentials" // the client's own (RFC 6749 section 4.4)
	WorkloadIdentity  Grant = "workload_identity"  // a JWT of the platform (RFC 7523)
	EnterpriseManaged Grant = "enterprise_managed" // an ID token of the enterprise's sign-on (RFC 8693, RFC 7523)
)

// Grants returns all grants, the default first.
func Grants() []Grant {
	return []Grant{AuthorizationCode, DeviceCode, ClientCredentials, WorkloadIdentity, EnterpriseManaged}
}

// Unattended reports whether the grant needs no user.
func (g Grant) Unattended() bool {
	return g == ClientCredentials || g == WorkloadIdentity || g == EnterpriseManaged
}

// named is the grant under its name: the default is not left out.
func (g Grant) named() Grant {
	if g == "" {
		return AuthorizationCode
	}
	return g
}

// grantType is what the token endpoint is asked for.
func (g Grant) grantType() string {
	switch g {
	case DeviceCode:
		return "urn:ietf:params:oauth:grant-type:device_code"
	case ClientCredentials:
		return "client_credentials"
	case WorkloadIdentity, EnterpriseManaged:
		return "urn:ietf:params:oauth:grant-type:jwt-bearer"
	}
	return "authorization_code"
}

// IdentityProvider is where an enterprise's ID token is exchanged.
type IdentityProvider struct {
	TokenEndpoint string
	ClientID      string
	ClientSecret  credential.Secret
	// IDTokenFile holds the user's ID token; it is read again for each grant.
	IDTokenFile string
}

// grantFailed is the outcome of a grant's step that failed: another attempt
// where one may work, and otherwise the configuration has to be fixed.
func (u *Upstream) grantFailed(order transitions.Order, err error) transitions.Input {
	if ended := transitions.LoginEnd(u.Snapshot().Data, transitions.NotOAuth); ended == transitions.OptionalLoginEnded {
		in := event(ended, err) // the server goes on without a token
		in.Flow = order.Snapshot.Data.FlowID
		return in
	}
	class, pause := classOf(err)
	switch class {
	case oauth.NotSent, oauth.Ambiguous, oauth.Spent, oauth.Transient, oauth.Moved:
		return u.grantDelayed(pause, 0, err)
	}
	return u.grantRejected(err)
}

// grantRejected is the outcome of a grant that will not work until something is changed.
// It is asked for again, seldom, while the token of before works, which is not given up.
func (u *Upstream) grantRejected(err error) transitions.Input {
	if u.Snapshot().Data.TokenUsable(time.Now()) {
		return u.grantDelayed(0, seldom, err)
	}
	u.keepVerdict(states.GrantRejected, err)
	return event(transitions.GrantRejected, err)
}

// seldom is the pause between attempts that only another user's change can help.
const seldom = 5 * time.Minute

// grantDelayed plans the next attempt, after the pause that the authorization server asked
// for, and another one at the least; the end of the token hurries it.
func (u *Upstream) grantDelayed(asked, least time.Duration, err error) transitions.Input {
	in, now, data := event(transitions.GrantFailed, err), time.Now(), &u.Snapshot().Data
	in.Payload.Plan(now, asked, max(least, u.refreshPause(data, now)))
	return in
}

// identify says who this client is to the authorization server and what the
// request will be for; nothing is sent to a user.
func (u *Upstream) identify(order transitions.Order, d *credential.Discovery) transitions.Input {
	if err := u.clientFits(d.Issuer, order.Snapshot.Data.Token); err != nil {
		return u.grantRejected(err)
	}
	registration := u.preregistered(d.Issuer)
	if registration == nil {
		// A workload shows who it is by its assertion.
		registration = &credential.Registration{
			Issuer:          d.Issuer,
			Source:          credential.SourcePreregistered,
			AuthMethod:      "none",
			TokenParameters: u.config.OAuth.TokenParameters,
		}
		if u.config.OAuth.Grant != WorkloadIdentity {
			return u.grantRejected(fmt.Errorf("the grant %s needs a client that is registered beforehand (oauth.clientId)",
				u.config.OAuth.Grant))
		}
	}
	key, err := u.proofKey(order, d)
	if err != nil {
		return u.grantRejected(err)
	}
	previous, challenged := wantedScopes(&order.Snapshot.Data)
	flow := credential.Flow{ID: order.Snapshot.Data.FlowID, StartedAt: time.Now().UTC(), Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint,
		RevocationEndpoint: d.RevocationEndpoint,
		Resource:           d.Resource, Registration: *registration, Key: key,
		Scopes: oauth.SelectScopes(*d, oauth.FlowRequest{
			ConfiguredScopes:  u.config.OAuth.Scopes,
			ChallengeScopes:   challenged,
			PreviousScopes:    previous,
			OmitOfflineAccess: u.config.OAuth.OmitOfflineAccess,
		})}
	return transitions.Input{Event: transitions.ClientIdentified, Flow: flow.ID, Payload: transitions.Payload{Flow: &flow}}
}

// proofKey is the key that the next token is to be bound to: that of the present
// token, a new one, or none where plain bearer tokens will do (RFC 9449).
func (u *Upstream) proofKey(order transitions.Order, d *credential.Discovery) (credential.Secret, error) {
	if !d.ProofRequired && !u.config.OAuth.DPoP {
		return credential.Secret{}, nil
	}
	if token := order.Snapshot.Data.Token; token != nil && !token.Key.IsZero() {
		return token.Key, nil
	}
	return credential.NewKey()
}

// requestToken obtains a token with a grant that needs no user, and puts it on
// disk before anything uses it.
func (u *Upstream) requestToken(ctx context.Context, order transitions.Order) transitions.Input {
	data := &order.Snapshot.Data
	flow := data.Flow
	d := credential.Discovery{
		Issuer:             flow.Issuer,
		TokenEndpoint:      flow.TokenEndpoint,
		RevocationEndpoint: flow.RevocationEndpoint,
		Resource:           flow.Resource,
	}
	request := oauth.GrantRequest{Scopes: flow.Scopes, Key: flow.Key, Generation: data.Generation + 1}
	var err error
	if request.Assertion, err = u.assertion(ctx, d); err != nil {
		return u.grantFailed(order, err)
	}
	if u.config.OAuth.Grant == EnterpriseManaged {
		if _, err := order.Fire(transitions.Input{Event: transitions.IdentityAsserted, Flow: flow.ID}); err != nil {
			return nothing // the state was left
		}
	}
	p := proofs{order: order}
	token, err := oauth.Grant(p.context(context.WithoutCancel(ctx)), u.authorization, d, flow.Registration, request)
	if err != nil {
		return u.grantFailed(order, oauth.Advise(err, flow.Registration, flow.TokenEndpoint, flow.Scopes))
	}
	return u.keepObtained(ctx, &p, token, transitions.TokenGranted)
}

// assertion is what the grant shows besides the client's own credentials, or zero.
func (u *Upstream) assertion(ctx context.Context, d credential.Discovery) (credential.Secret, error) {
	switch c := &u.config.OAuth; c.Grant {
	case WorkloadIdentity:
		return readSecret("oauth.assertionFile", c.AssertionFile)
	case EnterpriseManaged:
		identity, err := readSecret("oauth.identityProvider.idTokenFile", c.IdentityProvider.IDTokenFile)
		if err != nil {
			return identity, err
		}
		p := &c.IdentityProvider
		method := "none"
		if !p.ClientSecret.IsZero() {
			method = "client_secret_post"
		}
		return oauth.ExchangeIdentity(ctx, u.authorization, oauth.IdentityProvider{TokenEndpoint: p.TokenEndpoint, IDToken: identity,
			Registration: credential.Registration{ClientID: p.ClientID, Secret: p.ClientSecret, AuthMethod: method}}, d)
	}
	return credential.Secret{}, nil
}

// readSecret reads a file that holds one secret. Platforms replace such files, so
// they are read each time.
func readSecret(setting, path string) (credential.Secret, error) {
	text, err := userfile.Read(path)
	if err == nil && strings.TrimSpace(string(text)) == "" {
		err = errors.New("the file is empty")
	}
	if err != nil {
		return credential.Secret{}, &oauth.Error{Operation: "reading " + setting, Class: oauth.Misconfigured, Err: err}
	}
	return credential.NewSecret(strings.TrimSpace(string(text))), nil
}
