package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// An error names the settings that its refusal speaks of, whatever endpoint it comes from
// and however it is put (fault E6).
func TestRefusalsNameTheSetting(t *testing.T) {
	for _, test := range []struct {
		code, description string
		settings          []oauth.Setting
	}{
		{"invalid_target", "", []oauth.Setting{oauth.Resource, oauth.OmitResource}},
		{"invalid_request", "AADSTS901002: The 'resource' request parameter is not supported.", []oauth.Setting{oauth.Resource, oauth.OmitResource}},
		{"access_denied", "No audience parameter was provided, and no default audience has been configured", []oauth.Setting{oauth.TokenParameters}},
		{"invalid_request", "Missing required parameter: tenant", []oauth.Setting{oauth.TokenParameters}},
		{"redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application.", []oauth.Setting{oauth.RedirectHost, oauth.RedirectPath}},
		{"invalid_redirect_uri", "", []oauth.Setting{oauth.RedirectHost, oauth.RedirectPath}},
		{"invalid_scope", "The requested scope offline_access is not allowed", []oauth.Setting{oauth.OmitOfflineAccess}},
		{"invalid_client", "The audience of the client assertion is wrong", []oauth.Setting{oauth.AssertionAudience}},
		{"invalid_grant", "", nil},
		{"access_denied", "The user said no", nil},
		{"", "", nil},
	} {
		refused := &oauth.Error{Operation: "x", Class: oauth.Rejected, Code: test.code, Description: test.description}
		response := &oauth.CallbackError{Class: oauth.CallbackFailed, Code: test.code, Description: test.description}
		for _, err := range []error{refused, response} {
			var named []oauth.Setting
			for _, s := range oauth.Suggestions(err) {
				named = append(named, s.Setting)
				if !strings.Contains(err.Error(), "oauth."+string(s.Setting)+": ") {
					t.Errorf("%v does not name %s", err, s.Setting)
				}
			}
			if !slices.Equal(named, test.settings) {
				t.Errorf("%s %q: names %q, want %q", test.code, test.description, named, test.settings)
			}
			if strings.Contains(err.Error(), "oauth.") != (test.settings != nil) {
				t.Errorf("%s %q: %v", test.code, test.description, err)
			}
		}
	}
}

// The words that RFC 6749 has for invalid_grant speak of the redirect address, which no
// refresh has.
func TestARefreshHasNoRedirectAddress(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"The refresh token is expired, does not match the redirection `+
			`URI used in the authorization request, or was issued to another client."}`)
	}))
	defer s.Close()
	token := credential.Token{TokenEndpoint: s.URL, Refresh: secret("rt")}
	_, err := oauth.Refresh(t.Context(), client(), token, anyone, oauth.RefreshOptions{})
	if err == nil || strings.Contains(err.Error(), "oauth.") {
		t.Errorf("the refresh is refused with %v", err)
	}
}

// What is known of the request is added: an assertion that was refused, and a scope that
// nobody configured.
func TestAdvice(t *testing.T) {
	jwtClient, public := credential.Registration{AuthMethod: "private_key_jwt"}, credential.Registration{AuthMethod: "none"}
	for _, test := range []struct {
		err    *oauth.Error
		client credential.Registration
		scopes []string
		words  string // "" for none
	}{
		{&oauth.Error{Class: oauth.InvalidClient, Code: "invalid_client"}, jwtClient, nil, `oauth.assertionAudience: "https://as.example/token"`},
		{&oauth.Error{Class: oauth.InvalidClient, Code: "invalid_client"}, public, nil, ""},
		{&oauth.Error{Class: oauth.Rejected, Code: "invalid_scope"}, public, []string{"a", "offline_access"}, "oauth.omitOfflineAccess: true"},
		{&oauth.Error{Class: oauth.Rejected, Code: "invalid_scope"}, public, []string{"a"}, ""},
	} {
		err := oauth.Advise(test.err, test.client, "https://as.example/token", test.scopes)
		if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.words) || test.words == "" &&
			strings.Contains(err.Error(), "oauth.") {
			t.Errorf("%v, want %q", err, test.words)
		}
	}
}

// A configured audience is that of the assertions (fault E6).
func TestAudienceOfAssertions(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := record(t, taken)
	r := credential.Registration{Issuer: "https://as.example", Audience: "https://as.example/token", ClientID: "c",
		AuthMethod: "private_key_jwt", Key: pemOf(t, key),
		TokenParameters: map[string]string{"audience": "x", "grant_type": "password"}}
	if _, err := oauth.Grant(t.Context(), client(), credential.Discovery{TokenEndpoint: s.URL}, r, oauth.GrantRequest{}); err != nil {
		t.Fatal(err)
	}
	form := s.only(t).form
	signed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	var claims jwt.Claims
	if err == nil {
		err = signed.Claims(&key.PublicKey, &claims)
	}
	if err != nil || !slices.Equal(claims.Audience, []string{"https://as.example/token"}) || form.Get("audience") != "x" ||
		form.Get("grant_type") != "client_credentials" {
		t.Errorf("the claims are %+v, %v, in %s", claims, err, said(form))
	}
}

// The scope offline_access is left out where it is to be, unless someone configured it.
func TestOfflineAccessIsLeftOut(t *testing.T) {
	d := credential.Discovery{ServerScopes: []string{"offline_access"}, ScopesSupported: []string{"a"}}
	for _, test := range []struct {
		r    oauth.FlowRequest
		want []string
	}{
		{oauth.FlowRequest{}, []string{"a", "offline_access"}},
		{oauth.FlowRequest{OmitOfflineAccess: true}, []string{"a"}},
		{oauth.FlowRequest{OmitOfflineAccess: true, PreviousScopes: []string{"offline_access"}}, []string{"a"}},
		{oauth.FlowRequest{OmitOfflineAccess: true, ConfiguredScopes: []string{"b", "offline_access"}}, []string{"b", "offline_access"}},
	} {
		if got := oauth.SelectScopes(d, test.r); !slices.Equal(got, test.want) {
			t.Errorf("SelectScopes(%+v) = %q, want %q", test.r, got, test.want)
		}
	}
	response := url.Values{"error": {"invalid_scope"}, "state": {"s"}}
	_, err := oauth.CheckCallback(credential.Flow{State: secret("s"), Scopes: []string{"a", "offline_access"}}, response)
	if err == nil || !strings.Contains(err.Error(), "oauth.omitOfflineAccess") {
		t.Errorf("CheckCallback = %v", err)
	}
}

// Metadata about a resource of another name is taken where that name is configured, and
// the error says so where it is not (fault E6).
func TestMetadataOfANamedResource(t *testing.T) {
	s := newSite(t, map[string]string{resourcePath: `{"resource":"https://public.example/mcp","authorization_servers":["$"]}`, serverPath: serverDocument})
	r := oauth.DiscoveryRequest{ServerURL: s.URL + "/mcp"}
	if _, err := oauth.Discover(t.Context(), client(), r); err == nil || !strings.Contains(err.Error(), `oauth.resource: "https://public.example/mcp"`) {
		t.Errorf("Discover = %v", err)
	}
	r.Resource = "https://public.example/mcp"
	if d, err := oauth.Discover(t.Context(), client(), r); err != nil || d.Resource != r.Resource {
		t.Errorf("Discover = %+v, %v", d, err)
	}
	r.Resource = "https://other.example/mcp"
	if _, err := oauth.Discover(t.Context(), client(), r); err == nil {
		t.Error("metadata about a third resource was taken")
	}
}

// Metadata that names another issuer is taken for the configured one alone, and one that
// lists other methods of PKCE for none (fault E6).
func TestSettingsTakeNoMoreThanTheySay(t *testing.T) {
	issuer := strings.Replace(serverDocument, `"issuer":"$"`, `"issuer":"https://b.example"`, 1)
	plain := strings.Replace(serverDocument, `["S256"]`, `["plain"]`, 1)
	for name, test := range map[string]struct {
		document string
		r        oauth.DiscoveryRequest
		issuer   string // "" where it is refused
	}{
		"the issuer that is meant": {issuer, oauth.DiscoveryRequest{MetadataIssuer: "https://b.example"}, "https://b.example"},
		"another one":              {issuer, oauth.DiscoveryRequest{MetadataIssuer: "https://c.example"}, ""},
		"the server's own":         {serverDocument, oauth.DiscoveryRequest{MetadataIssuer: "https://b.example"}, "$"},
		"no issuer":                {strings.Replace(serverDocument, `"issuer":"$",`, ``, 1), oauth.DiscoveryRequest{}, ""},
		"plain PKCE alone":         {plain, oauth.DiscoveryRequest{AssumePKCE: true}, ""},
	} {
		s := newSite(t, map[string]string{resourcePath: resourceDocument, serverPath: test.document})
		test.r.ServerURL = s.URL + "/mcp"
		d, err := oauth.Discover(t.Context(), client(), test.r)
		if (err == nil) != (test.issuer != "") || err == nil && d.Issuer != strings.Replace(test.issuer, "$", s.URL, 1) {
			t.Errorf("%s: Discover = %+v, %v", name, d, err)
		}
	}
}
