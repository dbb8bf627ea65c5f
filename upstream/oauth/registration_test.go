package oauth_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"

	"github.com/google/go-cmp/cmp"
)

// MCP 2025-11-25 authorization, client registration approaches.
func TestHowAClientIsFound(t *testing.T) {
	registered := answer{status: http.StatusCreated, body: `{"client_id":"dynamic"}`}
	const document = "https://client.example/metadata.json"
	given := &credential.Registration{Issuer: "https://as.example", Source: credential.SourcePreregistered, ClientID: "given", AuthMethod: "client_secret_post"}
	for _, test := range []struct {
		name               string
		documents, dynamic bool
		r                  oauth.RegistrationRequest
		client             string
		source             credential.Source
		requests           int
	}{
		{"the configured one before all", true, true, oauth.RegistrationRequest{Preregistered: given, ClientIDMetadataURL: document}, "given", credential.SourcePreregistered, 0},
		{"a metadata document where the server takes one", true, true, oauth.RegistrationRequest{ClientIDMetadataURL: document}, document, credential.SourceMetadata, 0},
		{"registration where it does not", false, true, oauth.RegistrationRequest{ClientIDMetadataURL: document}, "dynamic", credential.SourceDynamic, 1},
		{"registration where there is no document", true, true, oauth.RegistrationRequest{}, "dynamic", credential.SourceDynamic, 1},
		{"none", false, false, oauth.RegistrationRequest{ClientIDMetadataURL: document}, "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := record(t, registered)
			d := credential.Discovery{Issuer: "https://as.example", ClientIDMetadataDocument: test.documents}
			if test.dynamic {
				d.RegistrationEndpoint = s.URL + "/register"
			}
			test.r.RedirectURIs = []string{redirect}
			got, err := oauth.Register(t.Context(), client(), d, test.r)
			if (err != nil) != (test.client == "") || got.ClientID != test.client || got.Source != test.source || len(s.asked) != test.requests {
				t.Errorf("Register = %+v, %v after %d requests", got, err, len(s.asked))
			}
			if test.client == "" && !strings.Contains(err.Error(), "oauth.clientId") {
				t.Errorf("%v does not say what to do", err)
			}
			if err == nil && got.Issuer != d.Issuer {
				t.Errorf("it is bound to %q", got.Issuer)
			}
		})
	}
}

// RFC 7591 section 2; MCP 2026-07-28 authorization, application_type.
func TestRegistrationRequest(t *testing.T) {
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(text, &body); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %q: %v", r.Method, text, err)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"client_id":"c"}`))
	}))
	defer s.Close()
	d := credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL, AuthMethods: []string{"client_secret_basic", "none"}}
	if _, err := oauth.Register(t.Context(), client(), d, oauth.RegistrationRequest{RedirectURIs: []string{redirect}, ClientName: "mcpproxy"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"client_name": "mcpproxy", "software_id": "mcpproxy", "application_type": "native", "redirect_uris": []any{redirect},
		"grant_types": []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "token_endpoint_auth_method": "none"}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("the request differs (-want +got):\n%s", diff)
	}
}

// What counts is what the server has registered, not what was asked for.
func TestRegistrationAnswers(t *testing.T) {
	for _, test := range []struct {
		name, body string
		status     int
		method     string // empty: it is refused
		secret     string
		redirects  []string
	}{
		{"a public client", `{"client_id":"c","token_endpoint_auth_method":"none"}`, 201, "none", "", []string{redirect}},
		{"200 will do", `{"client_id":"c"}`, 200, "none", "", []string{redirect}},
		{"another method than was asked for", `{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`, 201, "client_secret_post", "s", []string{redirect}},
		{"a secret without a method", `{"client_id":"c","client_secret":"s"}`, 201, "client_secret_basic", "s", []string{redirect}},
		{"another port of this machine", `{"client_id":"c","redirect_uris":["http://127.0.0.1/callback"]}`, 201, "none", "", []string{"http://127.0.0.1/callback"}},
		{"another redirect address", `{"client_id":"c","redirect_uris":["https://other.example/callback"]}`, 201, "", "", nil},
		{"no client id", `{}`, 201, "", "", nil},
		{"no JSON", `<html>`, 201, "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := record(t, answer{status: test.status, body: test.body})
			got, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL}, oauth.RegistrationRequest{RedirectURIs: []string{redirect}})
			if (err != nil) != (test.method == "") || got.AuthMethod != test.method || got.Secret.Reveal() != test.secret || !slices.Equal(got.RedirectURIs, test.redirects) {
				t.Errorf("Register = %+v, %v", got, err)
			}
		})
	}
	s := record(t, answer{status: 201, body: `{"client_id":"c","client_secret":"s","client_secret_expires_at":1900000000}`})
	got, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL}, oauth.RegistrationRequest{})
	if err != nil || got.SecretExpiresAt.Unix() != 1900000000 {
		t.Errorf("the secret expires at %v, %v", got.SecretExpiresAt, err)
	}
}

// RFC 7591 section 3.2.2.
func TestRegistrationFailures(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		class  oauth.Class
		words  string
	}{
		{400, `{"error":"invalid_redirect_uri","error_description":"only https\u001b[2J"}`, oauth.Rejected, "invalid_redirect_uri: only https"},
		{400, `{"error":"invalid_client_metadata"}`, oauth.Rejected, "invalid_client_metadata"},
		{401, ``, oauth.InvalidClient, "401"},
		{404, ``, oauth.Rejected, "404"},
		{501, ``, oauth.Rejected, "501"},
		{503, ``, oauth.Transient, "503"},
		{429, `{"error":"slow_down"}`, oauth.Transient, "429"},
	} {
		s := record(t, answer{status: test.status, body: test.body})
		_, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL}, oauth.RegistrationRequest{})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.Class != test.class || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d %s: %q, want the class %s", test.status, test.body, err, test.class)
		}
	}
}
