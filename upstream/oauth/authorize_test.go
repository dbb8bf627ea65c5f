package oauth_test

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

var (
	as = credential.Discovery{Issuer: "https://as.example", AuthorizationEndpoint: "https://as.example/authorize?tenant=a",
		TokenEndpoint: "https://as.example/token",
		Resource:      "https://mcp.example/mcp", ScopesSupported: []string{"read", "write"},
		CodeChallengeMethods: []string{"S256"}, IssuerInResponse: true}
	public = credential.Registration{Issuer: "https://as.example", Source: credential.SourceDynamic, ClientID: "client-1",
		AuthMethod: "none"}
	redirect = "http://127.0.0.1:4711/callback"
)

func query(t *testing.T, f credential.Flow) url.Values {
	t.Helper()
	u, err := url.Parse(f.AuthorizationURL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// Everything that the code exchange will need is in the record, and everything that
// the specifications want is in the address.
func TestAuthorizationRequest(t *testing.T) {
	flow, err := oauth.NewFlow(as, public, oauth.FlowRequest{RedirectURI: redirect, Lifetime: time.Minute,
		Parameters: map[string]string{"audience": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	asked := query(t, flow)
	for name, want := range map[string]string{"tenant": "a", "response_type": "code", "client_id": "client-1", "redirect_uri": redirect,
		"state":                 flow.State.Reveal(),
		"code_challenge_method": "S256", "resource": as.Resource, "scope": "read write", "audience": "x", "prompt": ""} {
		if asked.Get(name) != want {
			t.Errorf("%s = %q, want %q", name, asked.Get(name), want)
		}
	}
	if len(asked.Get("code_challenge")) != 43 || asked.Get("code_challenge") == flow.Verifier.Reveal() {
		t.Errorf("the code challenge is %q", asked.Get("code_challenge"))
	}
	if flow.Issuer != as.Issuer || flow.TokenEndpoint != as.TokenEndpoint || flow.Resource != as.Resource || !flow.IssuerInResponse ||
		flow.RedirectURI != redirect || flow.Registration.ClientID != public.ClientID {
		t.Errorf("the record is %+v", flow)
	}
	if _, err := oauth.NewFlow(as, credential.Registration{Issuer: "https://other.example", ClientID: "c"}, oauth.FlowRequest{}); err == nil {
		t.Error("the client identity of another issuer was used")
	}
}

func TestEachFlowHasItsOwnSecrets(t *testing.T) {
	unreserved := regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
	seen := map[string]bool{}
	for range 1000 {
		flow, err := oauth.NewFlow(as, public, oauth.FlowRequest{RedirectURI: redirect})
		if err != nil {
			t.Fatal(err)
		}
		if !unreserved.MatchString(flow.Verifier.Reveal()) || len(flow.State.Reveal()) < 26 { // 26 characters of base 32 are 130 bits
			t.Fatalf("the verifier is %q and the state %q", flow.Verifier.Reveal(), flow.State.Reveal())
		}
		seen[flow.Verifier.Reveal()], seen[flow.State.Reveal()] = true, true
	}
	if len(seen) != 2000 {
		t.Errorf("1000 flows have %d secrets", len(seen))
	}
}

// MCP 2025-11-25 authorization, scope selection strategy; 2026-07-28, step-up.
func TestScopesAreSelected(t *testing.T) {
	offline := as
	offline.ServerScopes = []string{"offline_access", "openid"}
	unknown := as
	unknown.ScopesSupported = nil
	for _, test := range []struct {
		name string
		d    credential.Discovery
		r    oauth.FlowRequest
		want []string
	}{
		{"the configured ones before all", as, oauth.FlowRequest{ConfiguredScopes: []string{"mine"}, ChallengeScopes: []string{"files"}}, []string{"mine"}},
		{"the challenge's, though the metadata does not list them", as, oauth.FlowRequest{ChallengeScopes: []string{"files"}}, []string{"files"}},
		{"those of the metadata", as, oauth.FlowRequest{}, []string{"read", "write"}},
		{"none where none is known", unknown, oauth.FlowRequest{}, nil},
		{"those of before stay", as, oauth.FlowRequest{ChallengeScopes: []string{"files"}, PreviousScopes: []string{"write", "files"}}, []string{"files", "write"}},
		{"offline_access where the authorization server lists it", offline, oauth.FlowRequest{}, []string{"offline_access", "read", "write"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := oauth.SelectScopes(test.d, test.r); !slices.Equal(got, test.want) {
				t.Errorf("SelectScopes = %q, want %q", got, test.want)
			}
		})
	}
	flow, err := oauth.NewFlow(unknown, public, oauth.FlowRequest{RedirectURI: redirect})
	if err != nil || query(t, flow).Has("scope") {
		t.Errorf("a scope that is not known is sent: %q, %v", query(t, flow), err)
	}
}

// OpenID Connect Core section 11.
func TestOfflineAccessAsksForConsent(t *testing.T) {
	offline := as
	offline.ServerScopes, offline.OpenID = []string{"offline_access"}, true
	for want, parameters := range map[string]map[string]string{"consent": nil, "login": {"prompt": "login"}, "": {"prompt": ""}} {
		flow, err := oauth.NewFlow(offline, public, oauth.FlowRequest{RedirectURI: redirect, Parameters: parameters})
		if err != nil || query(t, flow).Get("prompt") != want {
			t.Errorf("with %q configured prompt is %q, want %q (%v)", parameters, query(t, flow).Get("prompt"), want, err)
		}
	}
	offline.OpenID = false
	if flow, err := oauth.NewFlow(offline, public, oauth.FlowRequest{RedirectURI: redirect}); err != nil || query(t, flow).Has("prompt") {
		t.Errorf("a server without OpenID is asked to prompt for %q (%v)", query(t, flow).Get("prompt"), err)
	}
}

// What a response says in words is cleaned before anybody reads it.
func TestWordsOfACallbackAreCleaned(t *testing.T) {
	flow, err := oauth.NewFlow(as, public, oauth.FlowRequest{RedirectURI: redirect})
	if err != nil {
		t.Fatal(err)
	}
	_, err = oauth.CheckCallback(flow, url.Values{"state": {flow.State.Reveal()}, "iss": {flow.Issuer}, "error": {"access_denied\x1b[2J"},
		"error_description": {"no\x1b[31m \u202eway\n"}})
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\u202e\n") || !strings.Contains(err.Error(), "no") {
		t.Errorf("%q", err)
	}
}

func TestParametersThatMayNotBeConfigured(t *testing.T) {
	for _, name := range []string{"state", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "response_type",
		"resource", "scope"} {
		_, err := oauth.NewFlow(as, public, oauth.FlowRequest{RedirectURI: redirect, Parameters: map[string]string{name: "x"}})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.Class != oauth.Misconfigured {
			t.Errorf("%s: %v", name, err)
		}
	}
}
