package upstream

import (
	"context"
	"errors"
	"slices"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// discover finds the authorization server of the resource.
func (u *Upstream) discover(ctx context.Context, order transitions.Order) transitions.Input {
	if known := order.Snapshot.Data.Discovery; order.Cause.Event == transitions.GrantRenewDue && known.UsableAt(time.Now()) {
		// The token works until now, so that its authorization server is the one.
		return transitions.Input{Event: transitions.Discovered, Flow: order.Snapshot.Data.FlowID, Payload: transitions.Payload{Discovery: known}}
	}
	challenge := order.Snapshot.Data.Challenge
	found, err := oauth.Discover(ctx, u.authorization, oauth.DiscoveryRequest{
		ServerURL:        u.config.URL,
		Reach:            u.reach,
		Challenge:        oauth.Challenge{Scheme: challenge.Scheme, ResourceMetadata: challenge.ResourceMetadata, Scopes: challenge.Scopes},
		ConfiguredIssuer: u.config.OAuth.Issuer,
		MetadataIssuer:   u.config.OAuth.MetadataIssuer,
		Resource:         u.config.OAuth.Resource,
		AssumePKCE:       u.config.OAuth.AssumePKCE,
		LegacyFallback:   u.config.OAuth.LegacyFallback,
		Known:            func(issuer string) bool { return u.knows(issuer, order.Snapshot.Data.Token) },
		GrantType:        u.config.OAuth.Grant.grantType(),
		Unattended:       u.config.OAuth.Grant.Unattended() || u.config.OAuth.Grant == DeviceCode,
	})
	if u.config.OAuth.OmitResource {
		found.Resource = ""
	}
	switch {
	case err == nil:
		return transitions.Input{Event: transitions.Discovered, Flow: order.Snapshot.Data.FlowID, Payload: transitions.Payload{Discovery: &found}}
	case ctx.Err() != nil:
		return nothing
	}
	class, _ := classOf(err)
	switch {
	case class == oauth.NotOAuth:
		return u.loginEnd(order, transitions.NotOAuth, states.NotOAuth, err)
	case class == oauth.Unsupported, len(oauth.Suggestions(err)) > 0:
		return u.loginEnd(order, transitions.DiscoveryFailed, states.ServerUnsuitable, err)
	case class == oauth.Transient:
		if in, ok := u.delayed(err); ok {
			return in
		}
	}
	return u.loginEnd(order, transitions.DiscoveryFailed, states.DiscoveryFailed, err)
}

// knows reports whether there is a token or a registration of an issuer.
func (u *Upstream) knows(issuer string, token *credential.Token) bool {
	if token != nil && token.Issuer == issuer {
		return true
	}
	registrations, err := u.environment.Store.Registrations(issuer)
	return err == nil && len(registrations) > 0
}

// preregistered is the client identity that the configuration gives, or nil.
func (u *Upstream) preregistered(issuer string) *credential.Registration {
	given := u.config.OAuth
	if given.ClientID == "" {
		return nil
	}
	method := given.AuthMethod
	switch {
	case method != "":
	case !given.PrivateKey.IsZero():
		method = "private_key_jwt"
	case !given.ClientSecret.IsZero():
		method = "client_secret_basic"
	default:
		method = "none"
	}
	return &credential.Registration{Issuer: issuer, Audience: given.AssertionAudience, TokenParameters: given.TokenParameters,
		Source: credential.SourcePreregistered, ClientID: given.ClientID, Secret: given.ClientSecret, AuthMethod: method,
		Key: given.PrivateKey, KeyID: given.KeyID}
}

var errNoDiscovery = errors.New("nothing is known about the authorization server; this is an error in mcpproxy")

// wantedScopes are those that were asked for before, those the server said are
// missing and those it asked for now (MCP 2026-07-28 authorization, step-up).
func wantedScopes(d *states.Data) (previous, challenged []string) {
	if d.Token != nil {
		previous = slices.Concat(d.Token.Scopes, d.Token.RequestedScopes)
	}
	return states.Union(previous, d.Scopes), d.Challenge.Scopes
}
