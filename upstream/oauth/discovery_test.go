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
		{"no resource metadata: the origin is the server (2025-03-26)", map[string]string{serverPath: serverDocument}, "", []string{resourcePath, resourceRoot, serverPath}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.documents)
			r := oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"}
			if test.challenge != "" {
				r.Challenge.ResourceMetadata = s.URL + test.challenge
			}
			d, err := oauth.Discover(context.Background(), oauth.NewHTTPClient(oauth.HTTPOptions{}), r)
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
	with := func(document, old, new string) string { return strings.Replace(document, old, new, 1) }
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
		{"no PKCE", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, `["S256"]`, `["plain"]`)}, oauth.Unsupported, "PKCE"},
		{"an endpoint without TLS", map[string]string{resourcePath: resourceDocument, serverPath: with(serverDocument, "$/token", "http://other.example/token")}, oauth.Misconfigured, "the token endpoint"},
		{"a redirect", map[string]string{resourcePath: "redirect https://other.example/"}, oauth.NotOAuth, "no authorization server metadata"},
		{"a server that is down is no server without metadata", map[string]string{resourcePath: "status 503"}, oauth.Transient, "503"},
		{"HTML", map[string]string{resourcePath: "<html>"}, oauth.Misconfigured, "not the JSON"},
		{"too long", map[string]string{resourcePath: strings.Repeat(" ", 2<<20)}, oauth.Misconfigured, "longer than 1 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.documents)
			_, err := oauth.Discover(context.Background(), oauth.NewHTTPClient(oauth.HTTPOptions{}), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"})
			var failure *oauth.Error
			if !errors.As(err, &failure) || failure.Class != test.class || !strings.Contains(err.Error(), test.words) {
				t.Errorf("Discover = %v, want the class %s and %q", err, test.class, test.words)
			}
		})
	}
}

// Link-local and private addresses are refused when the connection is made.
func TestAddressesThatNoServerMayHave(t *testing.T) {
	for _, address := range []string{"http://169.254.169.254/", "https://10.0.0.1/", "https://[fe80::1]/"} {
		_, err := oauth.Discover(context.Background(), oauth.NewHTTPClient(oauth.HTTPOptions{}), oauth.DiscoveryRequest{ServerURL: "https://mcp.example/mcp", Challenge: oauth.Challenge{ResourceMetadata: address}})
		var failure *oauth.Error
		if !errors.As(err, &failure) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
