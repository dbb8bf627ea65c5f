package oauth

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpproxy/credential"

	"golang.org/x/oauth2"
)

// FlowRequest says what an authorization flow is to ask for.
type FlowRequest struct {
	RedirectURI string
	// ConfiguredScopes override all others; else those of the challenge, else those
	// of the resource's metadata, else none. PreviousScopes are asked for again.
	ConfiguredScopes []string
	ChallengeScopes  []string
	PreviousScopes   []string
	// OmitOfflineAccess does not ask for the scope offline_access, unless it is configured.
	OmitOfflineAccess bool
	// Parameters are added to the authorization request.
	Parameters map[string]string
	Lifetime   time.Duration
	// Key binds the token, if set (RFC 9449).
	Key credential.Secret
}

// NewFlow makes an authorization request with PKCE S256 (RFC 7636), a random
// state and the resource indicator (RFC 8707). The caller gives the flow its id.
func NewFlow(d credential.Discovery, registration credential.Registration, r FlowRequest) (credential.Flow, error) {
	if registration.Issuer != d.Issuer {
		return credential.Flow{}, &Error{Operation: "the authorization request", Class: Misconfigured,
			Err: fmt.Errorf("the client identity is that of %q and not of %q", registration.Issuer, d.Issuer)}
	}
	now := time.Now().UTC()
	flow := credential.Flow{
		StartedAt:          now,
		Deadline:           now.Add(r.Lifetime),
		State:              credential.NewSecret(rand.Text()),
		Verifier:           credential.NewSecret(oauth2.GenerateVerifier()),
		RedirectURI:        r.RedirectURI,
		Issuer:             d.Issuer,
		IssuerInResponse:   d.IssuerInResponse,
		TokenEndpoint:      d.TokenEndpoint,
		RevocationEndpoint: d.RevocationEndpoint,
		Resource:           d.Resource,
		Scopes:             SelectScopes(d, r),
		Registration:       registration,
		Key:                r.Key,
	}
	config := oauth2.Config{
		ClientID:    registration.ClientID,
		RedirectURL: r.RedirectURI,
		Scopes:      flow.Scopes,
		Endpoint:    oauth2.Endpoint{AuthURL: d.AuthorizationEndpoint},
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(flow.Verifier.Reveal())}
	if d.Resource != "" {
		options = append(options, oauth2.SetAuthURLParam("resource", d.Resource))
	}
	if _, given := r.Parameters["prompt"]; d.OpenID && !given && slices.Contains(flow.Scopes, "offline_access") {
		// Without it the scope is ignored (OpenID Connect Core section 11).
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Parameters)) {
		if r.Parameters[name] == "" {
			continue // keeps a parameter from being sent
		}
		if slices.Contains([]string{"state", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "response_type", "resource",
			"scope"}, name) {
			return credential.Flow{}, &Error{Operation: "the authorization request", Class: Misconfigured,
				Err: fmt.Errorf("the parameter %q may not be configured", name)}
		}
		options = append(options, oauth2.SetAuthURLParam(name, r.Parameters[name]))
	}
	flow.AuthorizationURL = credential.NewSecret(config.AuthCodeURL(flow.State.Reveal(), options...))
	return flow, nil
}

// SelectScopes follows MCP 2025-11-25 authorization, scope selection strategy.
func SelectScopes(d credential.Discovery, r FlowRequest) []string {
	var wanted []string
	switch {
	case len(r.ConfiguredScopes) > 0:
		wanted = r.ConfiguredScopes
	case len(r.ChallengeScopes) > 0:
		wanted = r.ChallengeScopes
	default:
		wanted = d.ScopesSupported
	}
	all := slices.Concat(wanted, r.PreviousScopes)
	const offline = "offline_access"
	switch {
	case r.OmitOfflineAccess && !slices.Contains(r.ConfiguredScopes, offline):
		all = slices.DeleteFunc(all, func(scope string) bool { return scope == offline })
	case slices.Contains(d.ServerScopes, offline) && len(all) > 0:
		all = append(all, offline)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// CallbackClass says what a response at the redirect address is.
type CallbackClass string

// The classes of a response that brings no code.
const (
	CallbackMalformed   CallbackClass = "malformed"
	CallbackWrongState  CallbackClass = "wrong-state"
	CallbackWrongIssuer CallbackClass = "wrong-issuer"
	CallbackDenied      CallbackClass = "denied"
	CallbackFailed      CallbackClass = "failed"
)

// CallbackError says why a response brings no code.
type CallbackError struct {
	Class       CallbackClass
	Code        string
	Description string
	Err         error
	// Suggest are settings that may help, beside those that the code and the description
	// speak of.
	Suggest []Suggestion
}

func (e *CallbackError) Error() string { return e.said() + advice(e.suggestions()) }

func (e *CallbackError) said() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Class == CallbackDenied:
		return strings.TrimSpace("the login was declined at the authorization server (" + e.Code + ") " + e.Description)
	}
	return strings.TrimSpace("the authorization server ended the login with " + e.Code + " " + e.Description)
}

// Unwrap returns the cause.
func (e *CallbackError) Unwrap() error { return e.Err }

// BlamesClient reports whether a response says that the client is not registered (any
// more) for what it asked for, so that another registration may help.
func BlamesClient(err error) bool {
	var refused *CallbackError
	if !errors.As(err, &refused) {
		return false
	}
	return slices.Contains([]string{"unauthorized_client", "invalid_client", "invalid_client_id", "invalid_scope", "invalid_redirect_uri",
		"redirect_uri_mismatch", "unsupported_response_type"}, refused.Code)
}

// CheckCallback checks a response at the redirect address (RFC 6749 section
// 4.1.2, RFC 9207 section 2.4) and returns its code. Errors are [*CallbackError].
func CheckCallback(f credential.Flow, query url.Values) (credential.Secret, error) {
	fail := func(class CallbackClass, text string) (credential.Secret, error) {
		return credential.Secret{}, &CallbackError{Class: class, Err: errors.New(text)}
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(query[name]) > 1 {
			return fail(CallbackMalformed, "the parameter "+name+" is there more than once")
		}
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State.Reveal())) != 1 {
		return fail(CallbackWrongState, "the state parameter is that of no open login")
	}
	code, failure := query.Get("code"), clean(query.Get("error"))
	if (code == "") == (failure == "") {
		return fail(CallbackMalformed, "the response has to have either a code or an error")
	}
	switch issuer := query.Get("iss"); {
	case issuer != "" && issuer != f.Issuer:
		return fail(CallbackWrongIssuer, fmt.Sprintf("the response comes from the issuer %q and not from %q; it was not used (RFC 9207)",
			clean(issuer), f.Issuer))
	case issuer == "" && f.IssuerInResponse:
		return fail(CallbackWrongIssuer, "the authorization server says that its responses name the issuer, and this one does not; it was "+
			"not used (RFC 9207)")
	}
	if failure != "" {
		class := CallbackFailed
		if failure == "access_denied" {
			class = CallbackDenied
		}
		refused := &CallbackError{Class: class, Code: failure, Description: clean(query.Get("error_description"))}
		if failure == "invalid_scope" && slices.Contains(f.Scopes, "offline_access") {
			refused.Suggest = []Suggestion{{OmitOfflineAccess, ""}}
		}
		return credential.Secret{}, refused
	}
	return credential.NewSecret(code), nil
}
