package oauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mcpproxy/upstream/oauth"
)

// What a document says is read where it can mean one thing only, however it is written and
// wherever its own host leads to (fault E7).
func TestDiscoveryReadsWhatIsMeant(t *testing.T) {
	const named = "/meta"
	for _, test := range []struct {
		name      string
		documents map[string]string
		challenge string
	}{
		{"a redirect of the resource's metadata", map[string]string{resourcePath: "redirect /moved", "/moved": resourceDocument, serverPath: serverDocument}, ""},
		{"a redirect of the server's, twice", map[string]string{resourcePath: resourceDocument, serverPath: "redirect /a", "/a": "redirect /b", "/b": serverDocument}, ""},
		{"a redirect to the address with a slash", map[string]string{resourcePath: resourceDocument, serverPath: "redirect " + serverPath + "/", serverPath + "/": serverDocument}, ""},
		{"a redirect in a circle is no document", map[string]string{resourcePath: "redirect " + resourcePath, serverPath: serverDocument}, ""},
		{"nor is a login page that it ends at", map[string]string{resourcePath: "redirect /login", "/login": "<html>", serverPath: serverDocument}, ""},
		{"nor is another host's", map[string]string{resourcePath: "redirect https://other.example/", serverPath: serverDocument}, ""},
		{"a place relative to the server", map[string]string{named: resourceDocument, serverPath: serverDocument}, named},
		{"and one relative to its path", map[string]string{named: resourceDocument, serverPath: serverDocument}, "meta"},
		{"nothing at the place that is named", map[string]string{resourcePath: resourceDocument, serverPath: serverDocument}, "/gone"},
		{"texts in place of lists", map[string]string{
			resourcePath: `{"resource":"$/mcp","authorization_servers":"$","scopes_supported":"a b","bearer_methods_supported":"header","dpop_bound_access_tokens_required":"false"}`,
			serverPath:   `{"issuer":"$","authorization_endpoint":"$/authorize","token_endpoint":"$/token","code_challenge_methods_supported":"plain S256","grant_types_supported":"authorization_code,refresh_token","response_types_supported":"code"}`}, ""},
		{"nothing in place of lists and texts", map[string]string{
			resourcePath: `{"resource":"$/mcp","authorization_servers":["$"],"scopes_supported":null,"bearer_methods_supported":{},"tls_client_certificate_bound_access_tokens":null}`,
			serverPath:   strings.Replace(serverDocument, "{", `{"registration_endpoint":false,"revocation_endpoint":null,"device_authorization_endpoint":[],"grant_types_supported":null,"scopes_supported":7,`, 1)}, ""},
		{"an odd one among them", map[string]string{resourcePath: strings.Replace(resourceDocument, `["$"]`, `[null,7,{"issuer":"x"},"$"]`, 1), serverPath: serverDocument}, ""},
		{"relative endpoints", map[string]string{resourcePath: resourceDocument, serverPath: strings.NewReplacer(`"$/authorize"`, `"/authorize"`, `"$/token"`, `"/token"`).Replace(serverDocument)}, ""},
		{"the place of the metadata in place of the issuer", map[string]string{resourcePath: strings.Replace(resourceDocument, `["$"]`, `["$/.well-known/openid-configuration"]`, 1), serverPath: serverDocument}, ""},
		{"a page for what the site does not know", map[string]string{resourcePath: "<html>", resourceRoot: "<!DOCTYPE html>", serverPath: serverDocument}, ""},
		{"a method of PKCE in small letters", map[string]string{resourcePath: resourceDocument, serverPath: strings.Replace(serverDocument, "S256", "s256", 1)}, ""},
		{"a byte order mark", map[string]string{resourcePath: "\ufeff" + resourceDocument, serverPath: "\ufeff" + serverDocument}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, test.documents)
			d, err := oauth.Discover(t.Context(), client(),
				oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp", Challenge: oauth.Challenge{ResourceMetadata: test.challenge}})
			if err != nil || d.Issuer != s.URL || d.TokenEndpoint != s.URL+"/token" || d.AuthorizationEndpoint != s.URL+"/authorize" ||
				d.Resource != s.URL+"/mcp" || d.ProofRequired {
				t.Errorf("Discover = %+v, %v", d, err)
			}
			if test.name == "texts in place of lists" && !slices.Equal(d.ScopesSupported, []string{"a", "b"}) {
				t.Errorf("the scopes are %q", d.ScopesSupported)
			}
		})
	}
}

// However it is written, what it says counts: a demand that is not met ends discovery.
func TestDemandsInOtherForms(t *testing.T) {
	for name, documents := range map[string]map[string]string{
		"RFC 8705":             {resourcePath: strings.Replace(resourceDocument, "{", `{"tls_client_certificate_bound_access_tokens":"True",`, 1), serverPath: serverDocument},
		"Authorization header": {resourcePath: strings.Replace(resourceDocument, "{", `{"bearer_methods_supported":"query body",`, 1), serverPath: serverDocument},
		"PKCE":                 {resourcePath: resourceDocument, serverPath: strings.Replace(serverDocument, `["S256"]`, `"plain"`, 1)},
	} {
		s := newSite(t, documents)
		var failure *oauth.Error
		if _, err := oauth.Discover(t.Context(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"}); !errors.As(err, &failure) ||
			failure.Class != oauth.Unsupported || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A document that another host has is not this one's, also where it is asked for by the
// way of this one's.
func TestRedirectsStayOnTheirHost(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	s := newSite(t, map[string]string{resourcePath: "redirect " + other.URL + resourcePath, serverPath: "redirect " + other.URL + serverPath})
	if d, err := oauth.Discover(t.Context(), client(), oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"}); err == nil || asked != 0 {
		t.Errorf("Discover = %+v, %v; the other host was asked %d times", d, err, asked)
	}
}

// An address without its quotes is an address (fault E7).
func TestChallengeWithoutQuotes(t *testing.T) {
	h := http.Header{"Www-Authenticate": {`Bearer resource_metadata=https://a/b?c=d, error=invalid_token, scope=x`}}
	if c, found := oauth.TokenChallenge(h); !found || c.ResourceMetadata != "https://a/b?c=d" || c.Error != "invalid_token" ||
		!slices.Equal(c.Scopes, []string{"x"}) {
		t.Errorf("TokenChallenge = %+v, %t", c, found)
	}
}
