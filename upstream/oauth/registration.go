package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpproxy/credential"
)

// RegistrationRequest says how this client may come to an identity.
type RegistrationRequest struct {
	// Preregistered is the configured identity, or nil.
	Preregistered *credential.Registration
	// ClientIDMetadataURL is used as the client id where the server takes client ID
	// metadata documents.
	ClientIDMetadataURL string
	RedirectURIs        []string
	ClientName          string
	// Scopes are those that the login will ask for: some servers hold a client to what
	// it registered.
	Scopes []string
	// GrantType is what a token will be asked for with; empty is authorization_code.
	GrantType string
	// AuthMethod is the only token_endpoint_auth_method that the configuration takes;
	// empty for what fits best.
	AuthMethod string
}

// Register obtains a client identity: the configured one, else a client ID
// metadata document, else dynamic registration (RFC 7591; MCP 2025-11-25
// authorization, client registration approaches).
func Register(ctx context.Context, hc *http.Client, d credential.Discovery, r RegistrationRequest) (credential.Registration, error) {
	switch {
	case r.Preregistered != nil:
		return *r.Preregistered, nil
	case d.ClientIDMetadataDocument && r.ClientIDMetadataURL != "":
		return credential.Registration{
			Issuer:       d.Issuer,
			Source:       credential.SourceMetadata,
			ClientID:     r.ClientIDMetadataURL,
			AuthMethod:   "none",
			RedirectURIs: r.RedirectURIs,
			ObtainedAt:   time.Now().UTC(),
		}, nil
	case d.RegistrationEndpoint != "":
		return registerDynamically(ctx, hc, d, r)
	}
	return credential.Registration{}, &Error{Operation: "registration", Class: Unsupported, URL: where(d.Issuer),
		Err: errors.New("the authorization server takes no dynamic registration; register a client there and put its id into the " +
			"configuration (oauth.clientId)")}
}

// softwareID names this program to authorization servers, in every version (RFC
// 7591 section 2).
const softwareID = "mcpproxy"

// registerDynamically asks for what fits best, and for less where the server refuses
// that: some list public clients and register none, some know other scopes than the
// resource names. The first refusal is the one that is told.
func registerDynamically(ctx context.Context, hc *http.Client, d credential.Discovery,
	r RegistrationRequest) (credential.Registration, error) {
	var first *Error
	aboutScopes := false
	methods := authMethods(d.AuthMethods)
	if r.AuthMethod != "" {
		methods = []string{r.AuthMethod}
	}
	asks := [][]string{nil}
	if len(r.Scopes) > 0 {
		asks = [][]string{r.Scopes, nil}
	}
	for _, scopes := range asks {
		for _, method := range methods {
			if scopes != nil && aboutScopes {
				break // whatever the method
			}
			registration, err := registerAs(ctx, hc, d, r, method, scopes)
			var refused *Error
			if err == nil || !errors.As(err, &refused) {
				return registration, err
			}
			if first == nil {
				first = refused
			}
			if aboutScopes = aboutScopes || speaksOf("scope", refused); !aboutScopes && !negotiable(refused) {
				return registration, first
			}
		}
	}
	return credential.Registration{}, first
}

// negotiable reports whether other metadata may be taken where these were refused (RFC
// 7591 section 3.2.2).
func negotiable(refused *Error) bool {
	switch refused.Code {
	case "invalid_redirect_uri", "invalid_software_statement", "unapproved_software_statement":
		return false
	}
	return refused.Class == Rejected && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnprocessableEntity ||
		refused.Status/100 == 2 && refused.Code != "")
}

func speaksOf(word string, refused *Error) bool {
	return refused.Class == Rejected && strings.Contains(strings.ToLower(refused.Code+" "+refused.Description), word)
}

// registerAs asks for a client once.
func registerAs(ctx context.Context, hc *http.Client, d credential.Discovery, r RegistrationRequest, method string,
	scopes []string) (credential.Registration, error) {
	grants, responses := grantsOf(d, r.GrantType)
	metadata := map[string]any{
		"client_name": r.ClientName, "redirect_uris": r.RedirectURIs, "grant_types": grants, "response_types": responses,
		"token_endpoint_auth_method": method, "application_type": "native", "software_id": softwareID,
	}
	if len(scopes) > 0 {
		metadata["scope"] = strings.Join(scopes, " ")
	}
	var key clientKey
	if method == privateKeyJWT {
		var err error
		if key, err = newClientKey(d.SigningAlgorithms); err != nil {
			return credential.Registration{}, &Error{Operation: "registration", Class: Unsupported, URL: where(d.Issuer), Err: err}
		}
		metadata["jwks"], metadata["token_endpoint_auth_signing_alg"] = key.public, key.algorithm
	}
	answer, err := postMetadata(ctx, hc, d.RegistrationEndpoint, metadata)
	if err != nil {
		return credential.Registration{}, err
	}
	registration := answer.registration()
	if err := key.join(&registration, &answer); err != nil {
		return credential.Registration{}, &Error{Operation: "registration", Class: Rejected, URL: where(d.RegistrationEndpoint), Err: err}
	}
	registration.Issuer, registration.GrantTypes, registration.Offered = d.Issuer, grants, d.AuthMethods
	if len(registration.RedirectURIs) == 0 {
		registration.RedirectURIs = r.RedirectURIs
	}
	if registration.Scopes != nil {
		// A server that says which scopes it has registered holds the client to them.
		// Those that it left out it would leave out again.
		registration.Scopes = union(registration.Scopes, scopes)
	}
	if !registered(registration.RedirectURIs, r.RedirectURIs) {
		return credential.Registration{}, &Error{Operation: "registration", Class: Rejected, URL: where(d.RegistrationEndpoint),
			Err: fmt.Errorf("the authorization server has registered the redirect addresses %q in place of %q", answer.RedirectURIs,
				r.RedirectURIs), Suggest: []Suggestion{{RedirectHost, ""}, {RedirectPath, ""}}}
	}
	return registration, nil
}

// registrationAnswer is client information (RFC 7591 section 3.2.1): what counts is what
// was registered, not what was asked for.
type registrationAnswer struct {
	ClientID        string `json:"-"`
	ClientSecret    string `json:"-"`
	AuthMethod      string `json:"-"`
	SecretExpiresAt moment `json:"clientsecretexpiresat"`
	RedirectURIs    words  `json:"redirecturis"`
	Scope           words  `json:"scope"`
	PushRequired    flag   `json:"requirepushedauthorizationrequests"`
}

func (a *registrationAnswer) registration() credential.Registration {
	r := credential.Registration{
		Source:          credential.SourceDynamic,
		ClientID:        a.ClientID,
		Secret:          credential.NewSecret(a.ClientSecret),
		AuthMethod:      a.AuthMethod,
		RedirectURIs:    a.RedirectURIs,
		Scopes:          a.Scope,
		PushRequired:    bool(a.PushRequired),
		SecretExpiresAt: a.SecretExpiresAt.Time,
		ObtainedAt:      time.Now().UTC(),
	}
	switch {
	case a.ClientSecret == "" && (r.AuthMethod == "" || strings.HasPrefix(r.AuthMethod, "client_secret_")):
		r.AuthMethod = "none" // there is nothing to show, whatever the default is called
	case r.AuthMethod == "":
		r.AuthMethod = "client_secret_basic"
	}
	return r
}

// grantsOf are the grant and response types to register for a grant. A client for logins
// on other devices may have a browser too, where the server has that grant.
func grantsOf(d credential.Discovery, grant string) (grants, responses []string) {
	const code, refresh = "authorization_code", "refresh_token"
	switch {
	case grant == "" || grant == code:
		return []string{code, refresh}, []string{"code"}
	case len(d.GrantTypes) == 0 || slices.Contains(d.GrantTypes, code):
		return []string{code, grant, refresh}, []string{"code"}
	}
	return []string{grant, refresh}, []string{}
}

// registered reports whether every wanted address may be used; any port of a
// loopback address may (RFC 8252 section 7.3).
func registered(have, wanted []string) bool {
	for _, address := range wanted {
		if !slices.ContainsFunc(have, func(other string) bool { return withoutPort(other) == withoutPort(address) }) {
			return false
		}
	}
	return true
}

// Redirects reports whether a client with the registered addresses may be sent back to
// this one: it is among them, or it is there without a port, which stands for any.
func Redirects(registered []string, address string) bool {
	return slices.Contains(registered, address) || slices.Contains(registered, withoutPort(address))
}

func withoutPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || !loopback(u.Hostname()) {
		return address
	}
	u.Host = u.Hostname()
	return u.String()
}

// authMethods are those to ask for, one after the other: a public client where the server
// takes one, and else with a secret; with a key of its own where the server takes nothing
// simpler, or refuses it. Without metadata the default is client_secret_basic (RFC 8414
// section 2).
func authMethods(supported []string) []string {
	const none, basic = "none", "client_secret_basic"
	with := basic
	if !slices.Contains(supported, basic) && slices.Contains(supported, "client_secret_post") {
		with = "client_secret_post"
	}
	signed := slices.Contains(supported, privateKeyJWT)
	var methods []string
	switch {
	case len(supported) == 0:
		return []string{basic, none}
	case signed && !slices.Contains(supported, none) && !slices.Contains(supported, with):
		return []string{privateKeyJWT, none, with} // the others for metadata that does not tell all
	case slices.Contains(supported, none), !slices.Contains(supported, with):
		methods = []string{none, with}
	case with == basic && slices.Contains(supported, "client_secret_post"):
		methods = []string{basic, "client_secret_post"}
	default:
		methods = []string{with}
	}
	if signed {
		methods = append(methods, privateKeyJWT)
	}
	return methods
}

// postMetadata asks for a client once. Any success will do that has a client_id, in whatever
// form; one that has none is a refusal.
func postMetadata(ctx context.Context, hc *http.Client, target string, metadata any) (registrationAnswer, error) {
	failure, said := &Error{Operation: "registration", URL: where(target)}, registrationAnswer{}
	body, err := json.Marshal(metadata)
	if err == nil {
		err = checkURL(target)
	}
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return said, failure
	}
	ctx, sent := traced(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return said, failure
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), stripURL(err)
		return said, failure
	}
	defer response.Body.Close()
	a := readAnswer(response)
	members := a.holding("client_id")
	if a.status/100 != 2 || members == nil {
		failure.RetryAfter = retryAfter(response.Header)
		if failure = a.refusal(failure); failure.Class == Spent {
			failure.Class, failure.Err = Rejected, errors.New("the answer has no client_id")
		}
		return said, failure
	}
	if body, err = json.Marshal(members); err == nil {
		err = json.Unmarshal(body, &said)
	}
	if err != nil {
		failure.Class, failure.Status, failure.Err = Rejected, a.status, err
		return said, failure
	}
	said.ClientID, said.ClientSecret = word(members, "client_id"), word(members, "client_secret")
	said.AuthMethod = word(members, "token_endpoint_auth_method")
	return said, nil
}
