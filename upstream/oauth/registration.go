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
	Scopes              []string
}

// Register obtains a client identity: the configured one, else a client ID
// metadata document, else dynamic registration (RFC 7591; MCP 2025-11-25
// authorization, client registration approaches).
func Register(ctx context.Context, hc *http.Client, d credential.Discovery, r RegistrationRequest) (credential.Registration, error) {
	switch {
	case r.Preregistered != nil:
		return *r.Preregistered, nil
	case d.ClientIDMetadataDocument && r.ClientIDMetadataURL != "":
		return credential.Registration{Issuer: d.Issuer, Source: credential.SourceMetadata, ClientID: r.ClientIDMetadataURL, AuthMethod: "none", RedirectURIs: r.RedirectURIs, ObtainedAt: time.Now().UTC()}, nil
	case d.RegistrationEndpoint != "":
		return registerDynamically(ctx, hc, d, r)
	}
	return credential.Registration{}, &Error{Operation: "registration", Class: Unsupported, URL: where(d.Issuer),
		Err: errors.New("the authorization server takes no dynamic registration; register a client there and put its id into the configuration (oauth.clientId)")}
}

// softwareID names this program to authorization servers, in every version (RFC
// 7591 section 2).
const softwareID = "mcpproxy"

func registerDynamically(ctx context.Context, hc *http.Client, d credential.Discovery, r RegistrationRequest) (credential.Registration, error) {
	grants := []string{"authorization_code", "refresh_token"}
	metadata := map[string]any{
		"client_name": r.ClientName, "redirect_uris": r.RedirectURIs, "grant_types": grants, "response_types": []string{"code"},
		"token_endpoint_auth_method": authMethod(d.AuthMethods), "application_type": "native", "software_id": softwareID,
	}
	if len(r.Scopes) > 0 {
		metadata["scope"] = strings.Join(r.Scopes, " ")
	}
	var answer struct {
		ClientID        string   `json:"client_id"`
		ClientSecret    string   `json:"client_secret"`
		SecretExpiresAt int64    `json:"client_secret_expires_at"`
		AuthMethod      string   `json:"token_endpoint_auth_method"`
		RedirectURIs    []string `json:"redirect_uris"`
	}
	if err := postJSON(ctx, hc, "registration", d.RegistrationEndpoint, metadata, &answer); err != nil {
		return credential.Registration{}, err
	}
	if answer.ClientID == "" {
		return credential.Registration{}, &Error{Operation: "registration", Class: Rejected, URL: where(d.RegistrationEndpoint), Err: errors.New("the answer has no client_id")}
	}
	registration := credential.Registration{Issuer: d.Issuer, Source: credential.SourceDynamic, ClientID: answer.ClientID, Secret: credential.NewSecret(answer.ClientSecret),
		AuthMethod: answer.AuthMethod, RedirectURIs: r.RedirectURIs, ObtainedAt: time.Now().UTC()}
	if len(answer.RedirectURIs) > 0 {
		registration.RedirectURIs = answer.RedirectURIs // what counts is what was registered
	}
	if !registered(registration.RedirectURIs, r.RedirectURIs) {
		return credential.Registration{}, &Error{Operation: "registration", Class: Rejected, URL: where(d.RegistrationEndpoint),
			Err: fmt.Errorf("the authorization server has registered the redirect addresses %q in place of %q", answer.RedirectURIs, r.RedirectURIs)}
	}
	if registration.AuthMethod == "" {
		registration.AuthMethod = "none"
		if answer.ClientSecret != "" {
			registration.AuthMethod = "client_secret_basic"
		}
	}
	if answer.SecretExpiresAt > 0 {
		registration.SecretExpiresAt = time.Unix(answer.SecretExpiresAt, 0).UTC()
	}
	return registration, nil
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

func withoutPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || !loopback(u.Hostname()) {
		return address
	}
	u.Host = u.Hostname()
	return u.String()
}

// authMethod prefers a public client where the server takes one; without
// metadata the default is client_secret_basic (RFC 8414 section 2).
func authMethod(supported []string) string {
	for _, method := range []string{"none", "client_secret_basic", "client_secret_post"} {
		if slices.Contains(supported, method) {
			return method
		}
	}
	if len(supported) == 0 {
		return "client_secret_basic"
	}
	return "none"
}

func postJSON(ctx context.Context, hc *http.Client, operation, target string, body, into any) error {
	failure := &Error{Operation: operation, URL: where(target)}
	text, err := json.Marshal(body)
	if err == nil {
		err = checkURL(target)
	}
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return failure
	}
	ctx, sent := traced(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(text))
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return failure
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), stripURL(err)
		return failure
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		return refusal(operation, target, response)
	}
	if err := decode(response.Body, into); err != nil {
		failure.Class, failure.Err, failure.Status = Rejected, err, response.StatusCode
		return failure
	}
	return nil
}

// refusal reads an OAuth error answer (RFC 6749 section 5.2).
func refusal(operation, target string, response *http.Response, secrets ...credential.Secret) *Error {
	failure := &Error{Operation: operation, URL: where(target), Status: response.StatusCode, RetryAfter: retryAfter(response.Header)}
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	failure.Class = classOfStatus(response.StatusCode)
	if decode(response.Body, &answer) == nil && answer.Error != "" {
		failure.Code, failure.Description = clean(answer.Error, secrets...), clean(answer.Description, secrets...)
		if failure.Class != Transient {
			failure.Class = classOfCode(answer.Error)
		}
	}
	return failure
}
