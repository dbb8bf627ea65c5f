package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mcpproxy/upstream/oauth"
)

// site serves documents by path and notes what it was asked for.
type site struct {
	*httptest.Server
	documents map[string]string
	asked     []string
}

func newSite(t *testing.T, documents map[string]string) *site {
	s := &site{documents: documents}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.URL.RequestURI())
		if r.Header.Get("MCP-Protocol-Version") == "" {
			t.Errorf("%s was asked for without a protocol version", r.URL)
		}
		document, found := s.documents[r.URL.Path]
		switch {
		case strings.HasPrefix(document, "redirect "):
			http.Redirect(w, r, strings.TrimPrefix(document, "redirect "), http.StatusTemporaryRedirect)
		case strings.HasPrefix(document, "status "):
			var status int
			_, _ = fmt.Sscanf(document, "status %d", &status)
			w.WriteHeader(status)
		case found:
			_, _ = w.Write([]byte(strings.ReplaceAll(document, "$", s.URL)))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

const (
	resourceDocument = `{"resource":"$/mcp","authorization_servers":["$"],"scopes_supported":["a"]}`
	serverDocument   = `{"issuer":"$","authorization_endpoint":"$/authorize","token_endpoint":"$/token","code_challenge_methods_supported":["S256"]}`

	resourcePath = "/.well-known/oauth-protected-resource/mcp"
	resourceRoot = "/.well-known/oauth-protected-resource"
	serverPath   = "/.well-known/oauth-authorization-server"
	openidPath   = "/.well-known/openid-configuration"
)

// The places are asked in the order of the specification, and none after the one
// that answers (MCP 2025-11-25 authorization; RFC 9728 section 3, RFC 8414 section 3).
func TestDiscoveryAsksInOrder(t *testing.T) {
	tenant := strings.ReplaceAll(serverDocument, `"issuer":"$"`, `"issuer":"$/tenant"`)
	atTenant := strings.ReplaceAll(resourceDocument, `["$"]`, `["$/tenant"]`)
	for _, test := range []struct {
		name      string
		documents map[string]string
		challenge string
		asked     []string
	}{
		{"the path first", map[string]string{resourcePath: resourceDocument, serverPath: serverDocument}, "", []string{resourcePath, serverPath}},
		{"then the root", map[string]string{resourceRoot: resourceDocument, serverPath: serverDocument}, "", []string{resourcePath, resourceRoot, serverPath}},
		{"the challenge before all", map[string]string{"/meta": resourceDocument, serverPath: serverDocument}, "/meta", []string{"/meta", serverPath}},
		{"OpenID after OAuth", map[string]string{resourcePath: resourceDocument, openidPath: serverDocument}, "", []string{resourcePath, serverPath, openidPath}},
		{"an issuer with a path", map[string]string{resourcePath: atTenant, "/tenant" + openidPath: tenant}, "", []string{resourcePath, serverPath + "/tenant", openidPath + "/tenant", "/tenant" + openidPath}},
		{"a place that fails does not hide the next", map[string]string{resourcePath: "status 500", resourceRoot: resourceDocument, serverPath: "<html>", openidPath: serverDocument}, "", []string{resourcePath, resourceRoot, serverPath, openidPath}},
		{"no resource metadata: the origin is the server (2025-03-26)", map[string]string{serverPath: serverDocument}, "", []string{resourcePath, resourceRoot, serverPath}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.documents)
			r := oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"}
			if test.challenge != "" {
				r.Challenge.ResourceMetadata = s.URL + test.challenge
			}
			d, err := oauth.Discover(context.Background(), client(), r)
			if err != nil || d.TokenEndpoint != s.URL+"/token" {
				t.Errorf("Discover = %+v, %v", d, err)
			}
			if !slices.Equal(s.asked, test.asked) {
				t.Errorf("asked for %q\nwant       %q", s.asked, test.asked)
			}
		})
	}
}

// What contradicts itself, or what must not be trusted, ends discovery with the reason.
func TestDiscoveryRefuses(t *testing.T) {
	with := func(document, old, now string) string { return strings.Replace(document, old, now, 1) }
	for _, test := range []struct {
		name      string
		documents map[string]string
		class     oauth.Class
		words     string
	}{
		{"metadata of another resource", map[string]string{resourcePath: with(resourceDocument, "$/mcp", "https://other.example/mcp")}, oauth.Misconfigured, "the metadata is about"},
		{"a sibling is no parent", map[string]string{resourcePath: with(resourceDocument, "$/mcp", "$/mc")}, oauth.Misconfigured, "the metadata is about"},
		{"no authorization server", map[string]string{resourcePath: `{"resource":"$/mcp","authorization_servers":[]}`}, oauth.NotOAuth, "names no authorization server"},
		{"metadata of another issuer", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, `"$"`, `"https://other.example"`)}, oauth.Misconfigured, "of the issuer"},
		{"an issuer without TLS", map[string]string{resourcePath: with(resourceDocument, `["$"]`, `["http://other.example"]`)}, oauth.Misconfigured, "neither https"},
		{"a slash more is another issuer", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, `"$"`, `"$/"`)}, oauth.Misconfigured, "oauth.issuer"},
		{"no resource", map[string]string{resourcePath: `{"authorization_servers":["$"]}`}, oauth.Misconfigured, "the metadata is about"},
		{"no metadata at a server that is named: no endpoints are guessed", map[string]string{resourcePath: resourceDocument}, oauth.NotOAuth, "no authorization server metadata"},
		{"no token endpoint", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "token_endpoint", "x")}, oauth.Misconfigured, "the token endpoint"},
		{"no authorization endpoint", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "authorization_endpoint", "x")}, oauth.Misconfigured, "the authorization endpoint"},
		{"no word of PKCE", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "code_challenge_methods_supported", "x")}, oauth.Unsupported, "PKCE"},
		{"other grants only", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "{", `{"grant_types_supported":["client_credentials"],`)}, oauth.Unsupported, "grant type authorization_code"},
		{"other response types only", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "{", `{"response_types_supported":["token"],`)}, oauth.Unsupported, "response type code"},
		{"pushed requests only", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "{", `{"require_pushed_authorization_requests":true,`)}, oauth.Unsupported, "RFC 9126"},
		{"tokens elsewhere than in the header", map[string]string{resourcePath: with(resourceDocument, "{", `{"bearer_methods_supported":["query"],`), serverPath: serverDocument}, oauth.Unsupported, "Authorization header"},
		{"tokens bound to a certificate", map[string]string{resourcePath: with(resourceDocument, "{", `{"tls_client_certificate_bound_access_tokens":true,`), serverPath: serverDocument}, oauth.Unsupported, "RFC 8705"},
		{"a server without metadata that may be down", map[string]string{resourcePath: resourceDocument, serverPath: "status 503"}, oauth.Transient, "503"},
		{"no PKCE", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, `["S256"]`, `["plain"]`)}, oauth.Unsupported, "PKCE"},
		{"an endpoint without TLS", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "$/token", "http://other.example/token")}, oauth.Misconfigured, "the token endpoint"},
		{"a redirect", map[string]string{resourcePath: "redirect https://other.example/"}, oauth.NotOAuth, "no authorization server metadata"},
		{"a server that is down is no server without metadata", map[string]string{resourcePath: "status 503"}, oauth.Transient, "503"},
		{"HTML", map[string]string{resourcePath: "<html>"}, oauth.Misconfigured, "not the JSON"},
		{"too long", map[string]string{resourcePath: strings.Repeat(" ", 2<<20)}, oauth.Misconfigured, "longer than 1 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.documents)
			_, err := oauth.Discover(context.Background(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"})
			var failure *oauth.Error
			if !errors.As(err, &failure) || failure.Class != test.class || !strings.Contains(err.Error(), test.words) {
				t.Errorf("Discover = %v, want the class %s and %q", err, test.class, test.words)
			}
		})
	}
}

// Of several authorization servers a known one is taken, and else the first that
// will do (RFC 9728 section 7.6); a configured one is taken alone.
func TestOneOfSeveralServers(t *testing.T) {
	at := func(path string) string {
		return strings.ReplaceAll(strings.ReplaceAll(serverDocument, `"issuer":"$"`, `"issuer":"$/`+path+`"`), "$/token", "$/"+path+"/token")
	}
	s := newSite(t, map[string]string{resourcePath: `{"resource":"$/mcp","authorization_servers":["$/a","$/b","$/c"]}`, serverPath + "/b": at("b"), serverPath + "/c": at("c")})
	for _, test := range []struct {
		name, known, configured, want string
	}{
		{"the first that will do", "", "", "/b"},
		{"the known one", "/c", "", "/c"},
		{"the configured one", "/b", "/c", "/c"},
		{"the known one will not do", "/a", "", "/b"},
		{"the configured one will not do", "", "/a", ""},
		{"the configured one is not named", "", "/d", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp",
				Known: func(issuer string) bool { return test.known != "" && issuer == s.URL+test.known }}
			if test.configured != "" {
				r.ConfiguredIssuer = s.URL + test.configured
			}
			d, err := oauth.Discover(t.Context(), client(), r)
			if (err != nil) != (test.want == "") || err == nil && (d.Issuer != s.URL+test.want || d.TokenEndpoint != s.URL+test.want+"/token") {
				t.Errorf("Discover = %+v, %v", d, err)
			}
		})
	}
}

// The metadata is about the server or about a parent of it (RFC 9728 section 3.3).
func TestMetadataCoversTheServer(t *testing.T) {
	for _, test := range []struct {
		server, resource string
		covered          bool
	}{
		{"/api", "/api", true},
		{"/api/", "/api", true},
		{"/api", "/api/", true},
		{"/api/v1", "/api", true},
		{"/api/v1", "", true},
		{"/api/v1", "/", true},
		{"/api2", "/api", false},
		{"/api", "/api/v1", false},
		{"/api", "/API", false},
	} {
		s := newSite(t, map[string]string{"/meta": `{"resource":"$` + test.resource + `","authorization_servers":["$"]}`, serverPath: serverDocument})
		d, err := oauth.Discover(t.Context(), client(),
			oauth.DiscoveryRequest{ServerURL: s.URL + test.server, Challenge: oauth.Challenge{ResourceMetadata: s.URL + "/meta"}})
		if (err == nil) != test.covered || test.covered && d.Resource != s.URL+test.resource {
			t.Errorf("metadata about %q for the server %q: %q, %v", test.resource, test.server, d.Resource, err)
		}
	}
}

// The well-known place keeps the path and the query, and no slash at the end (RFC
// 9728 section 3.1).
func TestWellKnownPlaces(t *testing.T) {
	for server, places := range map[string][]string{
		"":         {resourceRoot},
		"/":        {resourceRoot},
		"/mcp/":    {resourcePath, resourceRoot},
		"/mcp?q=1": {resourcePath + "?q=1", resourceRoot},
		"/a%2Fb":   {resourceRoot + "/a%2Fb", resourceRoot},
	} {
		s := newSite(t, nil)
		_, err := oauth.Discover(t.Context(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + server})
		if want := append(places, serverPath, openidPath); err == nil || !slices.Equal(s.asked, want) {
			t.Errorf("for %q it asked for %q, want %q", server, s.asked, want)
		}
	}
}

// MCP 2025-03-26: without any metadata, at the origin, and only where it is allowed.
func TestDefaultEndpoints(t *testing.T) {
	s := newSite(t, nil)
	d, err := oauth.Discover(t.Context(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp", LegacyFallback: true})
	if err != nil || d.AuthorizationEndpoint != s.URL+"/authorize" || d.TokenEndpoint != s.URL+"/token" ||
		d.RegistrationEndpoint != s.URL+"/register" || d.Resource != s.URL+"/mcp" {
		t.Errorf("Discover = %+v, %v", d, err)
	}
}

// Where the resource or the configuration names a server, no endpoints are guessed at it,
// whatever is allowed.
func TestNoEndpointsAreGuessedAtAServerThatIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		documents  map[string]string
		configured bool
	}{
		"by the resource":      {map[string]string{resourcePath: resourceDocument}, false},
		"by the configuration": {nil, true},
	} {
		s := newSite(t, test.documents)
		r := oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp", LegacyFallback: true}
		if test.configured {
			r.ConfiguredIssuer = s.URL
		}
		var failure *oauth.Error
		if d, err := oauth.Discover(t.Context(), client(), r); !errors.As(err, &failure) || failure.Class != oauth.NotOAuth ||
			d.TokenEndpoint != "" {
			t.Errorf("%s: Discover = %+v, %v", name, d, err)
		}
	}
}

// MCP 2025-11-25 authorization, canonical server URI.
func TestCanonical(t *testing.T) {
	for server, want := range map[string]string{
		"HTTPS://MCP.Example/Path":  "https://mcp.example/Path",
		"https://mcp.example/":      "https://mcp.example",
		"https://mcp.example/mcp/":  "https://mcp.example/mcp/",
		"https://mcp.example:443/a": "https://mcp.example/a",
		"https://mcp.example:8443":  "https://mcp.example:8443",
		"https://mcp.example/a#b":   "https://mcp.example/a",
		"http://[::1]:80/a?q=1":     "http://[::1]/a?q=1",
	} {
		if got := oauth.Canonical(server); got != want || oauth.Canonical(got) != want {
			t.Errorf("Canonical(%q) = %q, want %q", server, got, want)
		}
	}
}
