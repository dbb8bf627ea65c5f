// Package credential holds the plain values that the OAuth lifecycle is about:
// tokens, client registrations, authorization flows, refresh intents and logout
// marks, and the [Secret] type that keeps their confidential parts out of every
// log, dump and error.
//
// It promises that its values are immutable by convention (they are passed on
// and never changed in place) and that none of them prints a secret. It does no
// I/O, reads no clock and knows neither the state graph nor the store.
package credential

import (
	"fmt"
	"hash/fnv"
	"slices"
	"time"
)

// Token is one token response of an authorization server together with all that
// is needed to use, refresh and revoke it without discovering anything again.
type Token struct {
	// Generation counts the tokens of one upstream, from 1. A request carries the
	// generation of the token that it was sent with, so that a late 401 about an
	// older token is told from one about the current token.
	Generation uint64
	Access     Secret
	// Refresh is zero where the authorization server issued none.
	Refresh Secret
	// Type is "Bearer" or "DPoP" (RFC 6749 section 7.1, RFC 9449).
	Type string
	// StatedType is what the authorization server calls the type of a token that is used
	// as Bearer, where it calls it something else.
	StatedType string
	// Scopes are those granted, RequestedScopes those asked for (RFC 6749 section 3.3).
	Scopes          []string
	RequestedScopes []string
	// ObtainedAt is the wall-clock time at which the token request was sent.
	ObtainedAt time.Time
	// ExpiresAt is absolute; zero means that the server gave no lifetime.
	ExpiresAt time.Time

	Issuer             string
	TokenEndpoint      string
	RevocationEndpoint string
	// Resource is the resource indicator (RFC 8707) the token was asked for,
	// byte for byte as published.
	Resource string
	// Grant is how it was come by, as oauth.grant in the configuration spells it.
	Grant string
	// ClientSource says how its client came to be; empty for a grant without a client.
	ClientSource Source
	ClientID     string
	AuthMethod   string
	// Key is the private key that a DPoP token is bound to, as PEM; zero for Bearer.
	Key Secret
}

// HasRefresh reports whether a refresh token lies beside the access token.
func (t *Token) HasRefresh() bool { return t != nil && !t.Refresh.IsZero() }

// UsableAt reports whether the access token is worth sending at now: it exists
// and has not expired as far as is known. A token without a stated lifetime, or
// one obtained "later" than now (the clock was set back), counts as usable: the
// resource server's 401 decides.
func (t *Token) UsableAt(now time.Time) bool {
	if t == nil || t.Access.IsZero() {
		return false
	}
	return t.ExpiresAt.IsZero() || now.Before(t.ObtainedAt) || now.Before(t.ExpiresAt)
}

// RenewAt returns when to renew the token ahead of its expiry: at
// min(60 s, 20 % of its lifetime) before it, and earlier by up to
// min(5 min, 20 % of its lifetime), which is another time for each token, so that
// those that were issued together are not renewed together. It is zero where the
// server gave no lifetime.
func (t *Token) RenewAt() time.Time {
	if t == nil || t.ExpiresAt.IsZero() {
		return time.Time{}
	}
	fifth := t.ExpiresAt.Sub(t.ObtainedAt) / 5
	return t.ExpiresAt.Add(-min(time.Minute, fifth) - t.spread(min(5*time.Minute, fifth)))
}

// spread is a part of most that is the token's own: the same whenever it is asked
// for, also after a restart.
func (t *Token) spread(most time.Duration) time.Duration {
	sum := fnv.New32a()
	_, _ = fmt.Fprint(sum, t.Resource, t.ObtainedAt.UnixNano()) // a hash takes all
	return most / 1024 * time.Duration(sum.Sum32()%1024)
}

// Withheld are the scopes that were asked for and not granted (RFC 6749 section 3.3),
// at first or at a later refresh.
func (t *Token) Withheld() []string {
	var withheld []string
	for _, scope := range t.RequestedScopes {
		if !slices.Contains(t.Scopes, scope) {
			withheld = append(withheld, scope)
		}
	}
	return withheld
}

// Requested reports whether every scope in wanted was asked for with this token,
// granted or not.
func (t *Token) Requested(wanted []string) bool {
	for _, scope := range wanted {
		if !slices.Contains(t.RequestedScopes, scope) {
			return false
		}
	}
	return true
}

// Source says how a client identity came to be.
type Source string

// The ways to a client identity, in the order in which they are tried.
const (
	SourcePreregistered Source = "pre-registered"
	SourceMetadata      Source = "client-id-metadata-document"
	SourceDynamic       Source = "dynamic"
)

// Registration is this client's identity at one authorization server. It is
// bound to the issuer that gave it and never used at another.
type Registration struct {
	Issuer   string
	Source   Source
	ClientID string
	Secret   Secret
	// SecretExpiresAt is zero where the secret does not expire (RFC 7591 section 3.2.1).
	SecretExpiresAt time.Time
	// AuthMethod is the token_endpoint_auth_method: none, client_secret_basic,
	// client_secret_post, private_key_jwt.
	AuthMethod string
	// Key, as PEM, and KeyID sign the assertions of private_key_jwt (RFC 7523); a dynamic
	// client's was made here, for its issuer alone. Algorithm is the one that it signs with;
	// empty for that of the key's kind.
	Key          Secret
	KeyID        string
	Algorithm    string
	RedirectURIs []string
	ObtainedAt   time.Time

	// Audience is the aud of client assertions where it is not Issuer; TokenParameters are
	// added to token requests. Both are the configuration's.
	Audience        string
	TokenParameters map[string]string

	// What a dynamic client was registered with; nil where the authorization server
	// holds nobody to it, or the record is of a time at which it was not noted.
	// Scopes are those that it may ask for, GrantTypes the grants.
	Scopes     []string
	GrantTypes []string
	// Offered are the authentication methods that the authorization server offered then.
	Offered []string
	// PushRequired says that the server takes its authorization requests pushed only.
	PushRequired bool
	// Doubtful says that a login with this client ended without any answer, so that
	// the authorization server may have forgotten it: no login begins with it, and a
	// token that was issued to it goes on.
	Doubtful bool
}

// Flow is one authorization flow: an immutable record, keyed by its state
// parameter, of everything that the code exchange will need. It is written to
// the store before the browser opens, so that a login survives a restart.
type Flow struct {
	// ID is a UUID that every log line, journal entry and error about the flow carries.
	ID        string
	StartedAt time.Time
	Deadline  time.Time
	// State is the state parameter, Verifier the PKCE verifier (RFC 7636).
	State    Secret
	Verifier Secret
	// AuthorizationURL is what the browser opens. It contains State, or, of a request that
	// was pushed (RFC 9126), a reference that is good until PushedUntil; Request is then what
	// it would be otherwise, and PushEndpoint where it was pushed.
	AuthorizationURL Secret
	Request          Secret
	PushEndpoint     string
	PushedUntil      time.Time
	RedirectURI      string

	Issuer string
	// IssuerInResponse is authorization_response_iss_parameter_supported (RFC 9207 section 3).
	IssuerInResponse   bool
	TokenEndpoint      string
	RevocationEndpoint string
	Resource           string
	Scopes             []string
	// Optional says that the server had not asked for a login when this one began.
	Optional bool
	// Registration is the client identity that the flow began with.
	Registration Registration
	// Key binds the token that the flow ends in (RFC 9449); zero for Bearer.
	Key Secret

	// DeviceCode, UserCode and PollInterval are those of a login on another device
	// (RFC 8628), whose AuthorizationURL is where the user enters UserCode.
	DeviceCode   Secret
	UserCode     string
	PollInterval time.Duration
}

// Intent says that a refresh token is about to be sent. It is durable before the
// request and removed with its outcome; an intent that is found at start means
// that the process died in between (the outcome is unknown).
type Intent struct {
	ID         string
	Generation uint64
	StartedAt  time.Time
}

// LogoutMark says that a user logged out; it stays until a user logs in.
type LogoutMark struct {
	At time.Time
	// Alive is what was good at the authorization server afterwards, in words; empty for
	// nothing.
	Alive string `json:",omitempty"`
}

// Verdict is why a credential is over, or why the last login came to nothing, kept so
// that it can be said after a restart too. Text has no secret in it.
type Verdict struct {
	At     time.Time
	Reason string
	Text   string
}
