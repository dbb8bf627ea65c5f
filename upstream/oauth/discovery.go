package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
	// MetadataIssuer may stand in the metadata of the server in place of its issuer.
	MetadataIssuer string
	// Resource, if set, is the resource indicator, whatever the metadata says.
	Resource string
	// AssumePKCE takes a server whose metadata does not speak of PKCE.
	AssumePKCE bool
	// LegacyFallback takes default endpoints where there is no metadata at all (MCP
	// 2025-03-26, fallbacks for servers without metadata discovery).
	LegacyFallback bool
	// Known reports whether this client has a token of an issuer, or is registered at
	// it; of several authorization servers a known one is taken. Nil knows none.
	Known func(issuer string) bool
	// Unattended says that no user's grant is meant, so that the server needs no
	// authorization endpoint and no PKCE.
	Unattended bool
	// GrantType is what the token endpoint will be asked for, if the server says what
	// it takes; empty is authorization_code.
	GrantType string
}

// maxServers bounds how many of the authorization servers that a resource names
// are tried.
const maxServers = 5

// Discover finds the resource's authorization server: protected resource
// metadata from the challenge or the well-known places, then the server's own
// metadata (MCP 2025-11-25 authorization, discovery). Of several servers it takes
// the first that will do, a known one before the others.
func Discover(ctx context.Context, hc *http.Client, r DiscoveryRequest) (credential.Discovery, error) {
	r.Reach = max(r.Reach, ReachOf(r.ServerURL, r.ConfiguredIssuer))
	resource, at, err := discoverResource(ctx, hc, r)
	if errors.Is(err, errPage) {
		// It knows no such document, and may be an authorization server itself.
		d, failed := discoverAt(ctx, hc, nil, source{}, r)
		if failed == nil || passing(failed) {
			return d, failed
		}
	}
	if err != nil {
		return credential.Discovery{}, err
	}
	return discoverAt(ctx, hc, resource, at, r)
}

// discoverAt takes the first of the resource's authorization servers that will do.
func discoverAt(ctx context.Context, hc *http.Client, resource *resourceMetadata, at source,
	r DiscoveryRequest) (credential.Discovery, error) {
	issuers, err := chooseIssuers(resource, r)
	if err != nil {
		return credential.Discovery{}, err
	}
	var first error
	for _, issuer := range issuers {
		d, err := discoverFrom(ctx, hc, issuer, resource, r)
		d.ResourceMetadataURL, d.Challenged = at.place, at.place != "" && at.place == text(r.Challenge.ResourceMetadata).at(r.ServerURL)
		d.FreshUntil = earlier(d.FreshUntil, at.until)
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
func discoverFrom(ctx context.Context, hc *http.Client, issuer string, resource *resourceMetadata,
	r DiscoveryRequest) (credential.Discovery, error) {
	found, at, err := discoverServer(ctx, hc, issuer, r.MetadataIssuer, resource == nil && r.ConfiguredIssuer == "" && r.LegacyFallback)
	if err != nil {
		return credential.Discovery{}, err
	}
	d := found.discovery(at)
	if resource != nil {
		d.Resource, d.ScopesSupported, d.ProofRequired = string(resource.Resource), resource.ScopesSupported, bool(resource.ProofRequired)
	} else {
		d.Resource = Canonical(r.ServerURL)
	}
	if r.Resource != "" {
		d.Resource = r.Resource
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

func discoverResource(ctx context.Context, hc *http.Client, r DiscoveryRequest) (*resourceMetadata, source, error) {
	server, err := url.Parse(r.ServerURL)
	if err != nil {
		return nil, source{}, &Error{Operation: "discovery", Class: Misconfigured, Err: err}
	}
	places := []string{wellKnown(server, "oauth-protected-resource", false)}
	if strings.Trim(server.Path, "/") != "" || server.RawQuery != "" {
		places = append(places, wellKnown(&url.URL{Scheme: server.Scheme, Host: server.Host}, "oauth-protected-resource", false))
	}
	if named := r.Challenge.ResourceMetadata; named != "" {
		// Where there is nothing at the place that the server names, it may be at its own.
		named = text(named).at(r.ServerURL)
		places = append([]string{named}, slices.DeleteFunc(places, func(place string) bool { return place == named })...)
	}
	var m resourceMetadata
	at, err := firstOf(ctx, hc, "fetching protected resource metadata", places, &m)
	if at.place == "" || err != nil {
		return nil, source{}, err
	}
	if !covers(m.Resource, server) && (m.Resource == "" || string(m.Resource) != r.Resource) {
		failure := &Error{Operation: "discovery", Class: Misconfigured, URL: where(at.place),
			Err: fmt.Errorf("the metadata is about %q and not about %q (RFC 9728 section 3.3)", clean(string(m.Resource)), where(r.ServerURL))}
		if m.Resource != "" {
			failure.Suggest = []Suggestion{{Resource, clean(string(m.Resource))}}
		}
		return nil, source{}, failure
	}
	for i, issuer := range m.AuthorizationServers {
		m.AuthorizationServers[i] = issuerOf(issuer)
	}
	return &m, at, nil
}

// issuerOf is the issuer where a resource names the place of its metadata instead. That
// the metadata is the issuer's is looked at all the same.
func issuerOf(named string) string {
	for _, name := range []string{"oauth-authorization-server", "openid-configuration"} {
		if before, after, found := strings.Cut(named, "/.well-known/"+name); found && (after == "" || after[0] == '/') {
			return before + after
		}
	}
	return named
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
		return nil, &Error{Operation: "discovery", Class: NotOAuth,
			Err: errors.New("the protected resource metadata names no authorization server")}
	case r.ConfiguredIssuer != "":
		if !slices.ContainsFunc(resource.AuthorizationServers, func(named string) bool { return sameButSlash(named, r.ConfiguredIssuer) }) {
			return nil, &Error{Operation: "discovery", Class: Misconfigured,
				Err: fmt.Errorf("the configured issuer %q is not among those that the server names now: %q", r.ConfiguredIssuer,
					resource.AuthorizationServers)}
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

// Endpoints are where an authorization server redeems and revokes tokens.
type Endpoints struct{ Token, Revocation string }

// Locate reads where the token endpoint of an issuer is now. stated may stand in its
// metadata in place of the issuer; reach is how near the endpoint may be, if that is
// nearer than the issuer is.
func Locate(ctx context.Context, hc *http.Client, issuer, stated string, reach Reach) (Endpoints, error) {
	m, _, err := discoverServer(ctx, hc, issuer, stated, false)
	if err != nil {
		return Endpoints{}, err
	}
	if err := max(reach, ReachOf(issuer, "")).checkURL(string(m.TokenEndpoint)); err != nil {
		return Endpoints{}, &Error{
			Operation: "discovery",
			Class:     Misconfigured,
			URL:       where(issuer),
			Err:       fmt.Errorf("the token endpoint: %w", err),
		}
	}
	return Endpoints{Token: string(m.TokenEndpoint), Revocation: string(m.RevocationEndpoint)}, nil
}

func sameButSlash(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// discoverServer returns what an authorization server says of itself, and where it was
// read; nowhere where default endpoints are taken.
func discoverServer(ctx context.Context, hc *http.Client, issuer, stated string, legacy bool) (m serverMetadata, at source, err error) {
	base, err := url.Parse(issuer)
	if err != nil || checkURL(issuer) != nil {
		return m, source{}, &Error{
			Operation: "discovery",
			Class:     Misconfigured,
			URL:       where(issuer),
			Err:       errors.New("the issuer is neither https nor on this machine"),
		}
	}
	places := []string{wellKnown(base, "oauth-authorization-server", false), wellKnown(base, "openid-configuration", false)}
	if strings.Trim(base.Path, "/") != "" {
		places = append(places, wellKnown(base, "openid-configuration", true))
	}
	at, err = firstOf(ctx, hc, "fetching authorization server metadata", places, &m)
	switch {
	case err != nil:
		return m, source{}, err
	case at.place == "" && legacy:
		root := base.Scheme + "://" + base.Host
		return serverMetadata{Issuer: text(root), AuthorizationEndpoint: text(root + "/authorize"), TokenEndpoint: text(root + "/token"),
			RegistrationEndpoint: text(root + "/register"),
			CodeChallengeMethods: words{"S256"}}, source{}, nil
	case at.place == "":
		return m, source{}, &Error{
			Operation: "discovery",
			Class:     NotOAuth,
			URL:       where(issuer),
			Err:       errors.New("there is no authorization server metadata"),
		}
	case string(m.Issuer) != issuer && (m.Issuer == "" || string(m.Issuer) != stated):
		failure := &Error{Operation: "discovery", Class: Misconfigured, URL: where(at.place),
			Err: fmt.Errorf("the metadata is that of the issuer %q and not of %q (RFC 8414 section 3.3)", clean(string(m.Issuer)), issuer)}
		if m.Issuer != "" {
			failure.Suggest = []Suggestion{{MetadataIssuer, clean(string(m.Issuer))}}
		}
		if sameButSlash(string(m.Issuer), issuer) {
			failure.Suggest, failure.Err = nil, fmt.Errorf("%w; if that slash is a mistake of theirs, put oauth.issuer %q into the configuration",
				failure.Err, clean(string(m.Issuer)))
		}
		return m, source{}, failure
	}
	return m, at, nil
}
