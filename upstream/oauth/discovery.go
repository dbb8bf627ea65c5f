package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpproxy/credential"
)

// DiscoveryRequest says what to look for.
type DiscoveryRequest struct {
	// ServerURL is the MCP endpoint.
	ServerURL string
	// Challenge is the server's last 401 or 403.
	Challenge Challenge
	// ConfiguredIssuer, if set, is the only authorization server that is taken.
	ConfiguredIssuer string
	// LegacyFallback takes default endpoints where there is no metadata at all (MCP
	// 2025-03-26, fallbacks for servers without metadata discovery).
	LegacyFallback bool
	// Unattended says that no person's grant is meant, so that the server needs no
	// authorization endpoint and no PKCE.
	Unattended bool
}

// resourceMetadata is protected resource metadata (RFC 9728 section 2).
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
	ProofRequired        bool     `json:"dpop_bound_access_tokens_required"`
}

// serverMetadata is authorization server metadata (RFC 8414 section 2).
type serverMetadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint"`
	ScopesSupported       []string `json:"scopes_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ClientIDMetadata      bool     `json:"client_id_metadata_document_supported"`
	IssuerInResponse      bool     `json:"authorization_response_iss_parameter_supported"`
}

// Discover finds the resource's authorization server: protected resource
// metadata from the challenge or the well-known places, then the server's own
// metadata (MCP 2025-11-25 authorization, discovery).
func Discover(ctx context.Context, hc *http.Client, r DiscoveryRequest) (credential.Discovery, error) {
	resource, at, err := discoverResource(ctx, hc, r)
	if err != nil {
		return credential.Discovery{}, err
	}
	issuer, err := chooseIssuer(resource, r)
	if err != nil {
		return credential.Discovery{}, err
	}
	found, err := discoverServer(ctx, hc, issuer, resource == nil && r.ConfiguredIssuer == "" && r.LegacyFallback)
	if err != nil {
		return credential.Discovery{}, err
	}
	d := credential.Discovery{ResourceMetadataURL: at, Issuer: found.Issuer, AuthorizationEndpoint: found.AuthorizationEndpoint,
		TokenEndpoint: found.TokenEndpoint, RegistrationEndpoint: found.RegistrationEndpoint, RevocationEndpoint: found.RevocationEndpoint, DeviceEndpoint: found.DeviceEndpoint,
		ServerScopes: found.ScopesSupported, CodeChallengeMethods: found.CodeChallengeMethods, AuthMethods: found.AuthMethods,
		GrantTypes: found.GrantTypes, ClientIDMetadataDocument: found.ClientIDMetadata, IssuerInResponse: found.IssuerInResponse, FetchedAt: time.Now().UTC()}
	if resource != nil {
		d.Resource, d.ScopesSupported, d.ProofRequired = resource.Resource, resource.ScopesSupported, resource.ProofRequired
	}
	d.ProofRequired = d.ProofRequired || strings.EqualFold(r.Challenge.Scheme, "DPoP")
	return d, checkEndpoints(d, r.Unattended)
}

func discoverResource(ctx context.Context, hc *http.Client, r DiscoveryRequest) (*resourceMetadata, string, error) {
	server, err := url.Parse(r.ServerURL)
	if err != nil {
		return nil, "", &Error{Operation: "discovery", Class: Misconfigured, Err: err}
	}
	places := []string{wellKnown(server, "oauth-protected-resource", false)}
	if strings.Trim(server.Path, "/") != "" {
		places = append(places, wellKnown(&url.URL{Scheme: server.Scheme, Host: server.Host}, "oauth-protected-resource", false))
	}
	if named := r.Challenge.ResourceMetadata; named != "" {
		places = []string{named}
	}
	for _, place := range places {
		var m resourceMetadata
		found, err := get(ctx, hc, "fetching protected resource metadata", place, &m)
		if err != nil {
			return nil, "", err
		}
		if !found {
			continue
		}
		if !covers(m.Resource, server) {
			return nil, "", &Error{Operation: "discovery", Class: Misconfigured, URL: where(place),
				Err: fmt.Errorf("the metadata is about %q and not about %q (RFC 9728 section 3.3)", clean(m.Resource), where(r.ServerURL))}
		}
		return &m, place, nil
	}
	return nil, "", nil
}

// wellKnown inserts the well-known name before the path, or appends it.
func wellKnown(base *url.URL, name string, appended bool) string {
	path := strings.TrimSuffix(base.EscapedPath(), "/")
	if appended {
		return base.Scheme + "://" + base.Host + path + "/.well-known/" + name
	}
	return base.Scheme + "://" + base.Host + "/.well-known/" + name + path
}

// covers reports whether a resource identifier is the server or a parent of it.
func covers(resource string, server *url.URL) bool {
	r, err := url.Parse(resource)
	if err != nil || !strings.EqualFold(r.Scheme, server.Scheme) || !strings.EqualFold(r.Host, server.Host) {
		return false
	}
	parent, path := strings.TrimSuffix(r.Path, "/"), strings.TrimSuffix(server.Path, "/")
	return path == parent || strings.HasPrefix(path, parent+"/")
}

func chooseIssuer(resource *resourceMetadata, r DiscoveryRequest) (string, error) {
	if resource == nil {
		if r.ConfiguredIssuer != "" {
			return r.ConfiguredIssuer, nil
		}
		// MCP 2025-03-26: the server's own origin is the authorization server.
		server, err := url.Parse(r.ServerURL)
		if err != nil {
			return "", &Error{Operation: "discovery", Class: Misconfigured, Err: err}
		}
		return server.Scheme + "://" + server.Host, nil
	}
	switch {
	case len(resource.AuthorizationServers) == 0:
		return "", &Error{Operation: "discovery", Class: NotOAuth, Err: errors.New("the protected resource metadata names no authorization server")}
	case r.ConfiguredIssuer == "":
		return resource.AuthorizationServers[0], nil
	case slices.Contains(resource.AuthorizationServers, r.ConfiguredIssuer):
		return r.ConfiguredIssuer, nil
	}
	return "", &Error{Operation: "discovery", Class: Misconfigured,
		Err: fmt.Errorf("the configured issuer %q is not among those that the server names now: %q", r.ConfiguredIssuer, resource.AuthorizationServers)}
}

func discoverServer(ctx context.Context, hc *http.Client, issuer string, legacy bool) (serverMetadata, error) {
	base, err := url.Parse(issuer)
	if err != nil || checkURL(issuer) != nil {
		return serverMetadata{}, &Error{Operation: "discovery", Class: Misconfigured, URL: where(issuer), Err: errors.New("the issuer is neither https nor on this machine")}
	}
	places := []string{wellKnown(base, "oauth-authorization-server", false), wellKnown(base, "openid-configuration", false)}
	if strings.Trim(base.Path, "/") != "" {
		places = append(places, wellKnown(base, "openid-configuration", true))
	}
	for _, place := range places {
		var m serverMetadata
		found, err := get(ctx, hc, "fetching authorization server metadata", place, &m)
		if err != nil {
			return m, err
		}
		if !found {
			continue
		}
		if strings.TrimSuffix(m.Issuer, "/") != strings.TrimSuffix(issuer, "/") {
			return m, &Error{Operation: "discovery", Class: Misconfigured, URL: where(place),
				Err: fmt.Errorf("the metadata is that of the issuer %q and not of %q (RFC 8414 section 3.3)", clean(m.Issuer), issuer)}
		}
		return m, nil
	}
	if legacy {
		root := base.Scheme + "://" + base.Host
		return serverMetadata{Issuer: root, AuthorizationEndpoint: root + "/authorize", TokenEndpoint: root + "/token", RegistrationEndpoint: root + "/register", CodeChallengeMethods: []string{"S256"}}, nil
	}
	return serverMetadata{}, &Error{Operation: "discovery", Class: NotOAuth, URL: where(issuer), Err: errors.New("there is no authorization server metadata")}
}

// checkEndpoints refuses endpoints that secrets must not be sent to, and servers
// without PKCE (MCP 2025-11-25 authorization, authorization code protection).
func checkEndpoints(d credential.Discovery, unattended bool) error {
	for name, endpoint := range map[string]string{"authorization": d.AuthorizationEndpoint, "token": d.TokenEndpoint} {
		if unattended && name == "authorization" {
			continue
		}
		if err := checkURL(endpoint); err != nil {
			return &Error{Operation: "discovery", Class: Misconfigured, URL: where(d.Issuer), Err: fmt.Errorf("the %s endpoint: %w", name, err)}
		}
	}
	if !unattended && !slices.Contains(d.CodeChallengeMethods, "S256") {
		return &Error{Operation: "discovery", Class: Unsupported, URL: where(d.Issuer), Err: errors.New("the authorization server does not say that it supports PKCE with S256")}
	}
	return nil
}
