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
	// Reach is how near the servers may be that it leads to, if that is nearer than
	// ServerURL and ConfiguredIssuer are.
	Reach Reach
	// Challenge is the server's last 401 or 403.
	Challenge Challenge
	// ConfiguredIssuer, if set, is the only authorization server that is taken.
	ConfiguredIssuer string
	// LegacyFallback takes default endpoints where there is no metadata at all (MCP
	// 2025-03-26, fallbacks for servers without metadata discovery).
	LegacyFallback bool
	// Known reports whether this client has a token of an issuer, or is registered at
	// it; of several authorization servers a known one is taken. Nil knows none.
	Known func(issuer string) bool
	// Unattended says that no person's grant is meant, so that the server needs no
	// authorization endpoint and no PKCE.
	Unattended bool
	// GrantType is what the token endpoint will be asked for, if the server says what
	// it takes; empty is authorization_code.
	GrantType string
}

// maxServers bounds how many of the authorization servers that a resource names
// are tried.
const maxServers = 5

// resourceMetadata is protected resource metadata (RFC 9728 section 2).
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	ScopesSupported      []string `json:"scopes_supported"`
	ProofRequired        bool     `json:"dpop_bound_access_tokens_required"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	CertificateRequired  bool     `json:"tls_client_certificate_bound_access_tokens"`
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
	ResponseTypes         []string `json:"response_types_supported"`
	PushRequired          bool     `json:"require_pushed_authorization_requests"`
	// SubjectTypes is there in OpenID Connect metadata only.
	SubjectTypes []string `json:"subject_types_supported"`
}

// Discover finds the resource's authorization server: protected resource
// metadata from the challenge or the well-known places, then the server's own
// metadata (MCP 2025-11-25 authorization, discovery). Of several servers it takes
// the first that will do, a known one before the others.
func Discover(ctx context.Context, hc *http.Client, r DiscoveryRequest) (credential.Discovery, error) {
	r.Reach = max(r.Reach, ReachOf(r.ServerURL, r.ConfiguredIssuer))
	resource, at, err := discoverResource(ctx, hc, r)
	if err != nil {
		return credential.Discovery{}, err
	}
	issuers, err := chooseIssuers(resource, r)
	if err != nil {
		return credential.Discovery{}, err
	}
	var first error
	for _, issuer := range issuers {
		d, err := discoverFrom(ctx, hc, issuer, resource, r)
		d.ResourceMetadataURL, d.Challenged = at, at != "" && r.Challenge.ResourceMetadata != ""
		if err == nil || passing(err) {
			return d, err
		}
		if first == nil {
			first = err
		}
	}
	return credential.Discovery{}, first
}

// passing reports whether trying again later may help.
func passing(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && (failure.Class == NotSent || failure.Class == Ambiguous || failure.Class == Transient)
}

// discoverFrom is what one authorization server says of itself, if it will do.
func discoverFrom(ctx context.Context, hc *http.Client, issuer string, resource *resourceMetadata, r DiscoveryRequest) (credential.Discovery, error) {
	found, place, err := discoverServer(ctx, hc, issuer, resource == nil && r.ConfiguredIssuer == "" && r.LegacyFallback)
	if err != nil {
		return credential.Discovery{}, err
	}
	d := credential.Discovery{Issuer: found.Issuer, ServerMetadataURL: place, AuthorizationEndpoint: found.AuthorizationEndpoint,
		TokenEndpoint: found.TokenEndpoint, RegistrationEndpoint: found.RegistrationEndpoint, RevocationEndpoint: found.RevocationEndpoint, DeviceEndpoint: found.DeviceEndpoint,
		ServerScopes: found.ScopesSupported, CodeChallengeMethods: found.CodeChallengeMethods, AuthMethods: found.AuthMethods, OpenID: len(found.SubjectTypes) > 0,
		GrantTypes: found.GrantTypes, ClientIDMetadataDocument: found.ClientIDMetadata, IssuerInResponse: found.IssuerInResponse, FetchedAt: time.Now().UTC()}
	if resource != nil {
		d.Resource, d.ScopesSupported, d.ProofRequired = resource.Resource, resource.ScopesSupported, resource.ProofRequired
	} else {
		d.Resource = Canonical(r.ServerURL)
	}
	d.ProofRequired = d.ProofRequired || strings.EqualFold(r.Challenge.Scheme, "DPoP")
	if err := checkEndpoints(d, r); err != nil {
		return d, err
	}
	return d, checkDemands(&found, resource, r)
}

// Canonical is the resource indicator of a server that publishes none (MCP
// 2025-11-25 authorization, canonical server URI): scheme and host in lower case,
// no fragment, no default port, and no slash where there is no path.
func Canonical(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	u.Scheme, u.Host, u.Fragment, u.RawFragment, u.User = strings.ToLower(u.Scheme), strings.ToLower(u.Host), "", "", nil
	for scheme, port := range map[string]string{"https": ":443", "http": ":80"} {
		if u.Scheme == scheme {
			u.Host = strings.TrimSuffix(u.Host, port)
		}
	}
	if u.Path == "/" {
		u.Path = ""
	}
	return u.String()
}

func discoverResource(ctx context.Context, hc *http.Client, r DiscoveryRequest) (*resourceMetadata, string, error) {
	server, err := url.Parse(r.ServerURL)
	if err != nil {
		return nil, "", &Error{Operation: "discovery", Class: Misconfigured, Err: err}
	}
	places := []string{wellKnown(server, "oauth-protected-resource", false)}
	if strings.Trim(server.Path, "/") != "" || server.RawQuery != "" {
		places = append(places, wellKnown(&url.URL{Scheme: server.Scheme, Host: server.Host}, "oauth-protected-resource", false))
	}
	if named := r.Challenge.ResourceMetadata; named != "" {
		places = []string{named}
	}
	var m resourceMetadata
	place, err := firstOf(ctx, hc, "fetching protected resource metadata", places, &m)
	if place == "" || err != nil {
		return nil, "", err
	}
	if !covers(m.Resource, server) {
		return nil, "", &Error{Operation: "discovery", Class: Misconfigured, URL: where(place),
			Err: fmt.Errorf("the metadata is about %q and not about %q (RFC 9728 section 3.3)", clean(m.Resource), where(r.ServerURL))}
	}
	return &m, place, nil
}

// firstOf reads the first document that there is into m, and returns its place, or
// "" where there is none. A place that cannot be read does not hide the next; where
// none can be, it is not known that there is no document.
func firstOf[M any](ctx context.Context, hc *http.Client, operation string, places []string, m *M) (string, error) {
	var failure error
	for _, place := range places {
		var read M
		found, err := get(ctx, hc, operation, place, &read)
		if found {
			*m = read
			return place, nil
		}
		if err != nil && (failure == nil || passing(err)) {
			failure = err
		}
	}
	return "", failure
}

// wellKnown inserts the well-known name before the path and query, or appends it.
func wellKnown(base *url.URL, name string, appended bool) string {
	path := strings.TrimSuffix(base.EscapedPath(), "/")
	if base.RawQuery != "" && !appended {
		path += "?" + base.RawQuery
	}
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

// chooseIssuers returns the authorization servers to try: the configured one, or
// those that the resource names, the known ones first (RFC 9728 section 7.6).
func chooseIssuers(resource *resourceMetadata, r DiscoveryRequest) ([]string, error) {
	switch {
	case resource == nil && r.ConfiguredIssuer != "":
		return []string{r.ConfiguredIssuer}, nil
	case resource == nil:
		// MCP 2025-03-26: the server's own origin is the authorization server.
		server, err := url.Parse(r.ServerURL)
		if err != nil {
			return nil, &Error{Operation: "discovery", Class: Misconfigured, Err: err}
		}
		return []string{server.Scheme + "://" + server.Host}, nil
	case len(resource.AuthorizationServers) == 0:
		return nil, &Error{Operation: "discovery", Class: NotOAuth, Err: errors.New("the protected resource metadata names no authorization server")}
	case r.ConfiguredIssuer != "":
		if !slices.ContainsFunc(resource.AuthorizationServers, func(named string) bool { return sameButSlash(named, r.ConfiguredIssuer) }) {
			return nil, &Error{Operation: "discovery", Class: Misconfigured,
				Err: fmt.Errorf("the configured issuer %q is not among those that the server names now: %q", r.ConfiguredIssuer, resource.AuthorizationServers)}
		}
		return []string{r.ConfiguredIssuer}, nil
	}
	known := func(issuer string) bool { return r.Known != nil && r.Known(issuer) }
	named := slices.Clone(resource.AuthorizationServers[:min(len(resource.AuthorizationServers), maxServers)])
	slices.SortStableFunc(named, func(a, b string) int {
		switch {
		case known(a) == known(b):
			return 0
		case known(a):
			return -1
		}
		return 1
	})
	return named, nil
}

func sameButSlash(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// discoverServer returns what an authorization server says of itself, and where it was
// read; nowhere where default endpoints are taken.
func discoverServer(ctx context.Context, hc *http.Client, issuer string, legacy bool) (m serverMetadata, place string, err error) {
	base, err := url.Parse(issuer)
	if err != nil || checkURL(issuer) != nil {
		return m, "", &Error{Operation: "discovery", Class: Misconfigured, URL: where(issuer), Err: errors.New("the issuer is neither https nor on this machine")}
	}
	places := []string{wellKnown(base, "oauth-authorization-server", false), wellKnown(base, "openid-configuration", false)}
	if strings.Trim(base.Path, "/") != "" {
		places = append(places, wellKnown(base, "openid-configuration", true))
	}
	place, err = firstOf(ctx, hc, "fetching authorization server metadata", places, &m)
	switch {
	case err != nil:
		return m, "", err
	case place == "" && legacy:
		root := base.Scheme + "://" + base.Host
		return serverMetadata{Issuer: root, AuthorizationEndpoint: root + "/authorize", TokenEndpoint: root + "/token", RegistrationEndpoint: root + "/register", CodeChallengeMethods: []string{"S256"}}, "", nil
	case place == "":
		return m, "", &Error{Operation: "discovery", Class: NotOAuth, URL: where(issuer), Err: errors.New("there is no authorization server metadata")}
	case m.Issuer != issuer:
		failure := &Error{Operation: "discovery", Class: Misconfigured, URL: where(place),
			Err: fmt.Errorf("the metadata is that of the issuer %q and not of %q (RFC 8414 section 3.3)", clean(m.Issuer), issuer)}
		if sameButSlash(m.Issuer, issuer) {
			failure.Err = fmt.Errorf("%w; if that slash is a mistake of theirs, put oauth.issuer %q into the configuration", failure.Err, clean(m.Issuer))
		}
		return m, "", failure
	}
	return m, place, nil
}

// checkEndpoints refuses endpoints that secrets must not be sent to or a browser not
// be led to, and servers without PKCE (MCP 2025-11-25 authorization, authorization code protection).
func checkEndpoints(d credential.Discovery, r DiscoveryRequest) error {
	for name, endpoint := range map[string]string{"authorization": d.AuthorizationEndpoint, "token": d.TokenEndpoint} {
		if r.Unattended && name == "authorization" {
			continue
		}
		if err := r.Reach.checkURL(endpoint); err != nil {
			return &Error{Operation: "discovery", Class: Misconfigured, URL: where(d.Issuer), Err: fmt.Errorf("the %s endpoint: %w", name, err)}
		}
	}
	if !r.Unattended && !slices.Contains(d.CodeChallengeMethods, "S256") {
		return &Error{Operation: "discovery", Class: Unsupported, URL: where(d.Issuer), Err: errors.New("the authorization server does not say that it supports PKCE with S256")}
	}
	return nil
}

// checkDemands refuses a server that lacks what the grant needs, and one that
// demands what is not done here.
func checkDemands(m *serverMetadata, resource *resourceMetadata, r DiscoveryRequest) error {
	fail := func(text string, args ...any) error {
		return &Error{Operation: "discovery", Class: Unsupported, URL: where(m.Issuer), Err: fmt.Errorf(text, args...)}
	}
	grant := r.GrantType
	if grant == "" {
		grant = "authorization_code"
	}
	switch {
	case len(m.GrantTypes) > 0 && !slices.Contains(m.GrantTypes, grant):
		return fail("the authorization server does not offer the grant type %s", grant)
	case grant == "authorization_code" && len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code"):
		return fail("the authorization server does not offer the response type code")
	case grant == "authorization_code" && m.PushRequired:
		return fail("the authorization server takes pushed authorization requests only (RFC 9126), which are not supported")
	case resource != nil && len(resource.BearerMethods) > 0 && !slices.Contains(resource.BearerMethods, "header"):
		return fail("the server does not take tokens in the Authorization header, and they are sent nowhere else (RFC 9728 section 2)")
	case resource != nil && resource.CertificateRequired:
		return fail("the server takes tokens that are bound to a client certificate only (RFC 8705), which are not supported")
	}
	return nil
}
