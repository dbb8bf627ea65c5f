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
	given := &credential.Registration{Issuer: "https://as.example", Source: credential.SourcePreregistered, ClientID: "given",
		AuthMethod: "client_secret_post"}
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
	if _, err := oauth.Register(t.Context(), client(), d,
		oauth.RegistrationRequest{RedirectURIs: []string{redirect}, ClientName: "mcpproxy"}); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"client_name": "mcpproxy", "software_id": "mcpproxy", "application_type": "native",
		"redirect_uris": []any{redirect},
		"grant_types":   []any{"authorization_code", "refresh_token"}, "response_types": []any{"code"}, "token_endpoint_auth_method": "none"}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("the request differs (-want +got):\n%s", diff)
	}
}

// What counts is what the server has registered, in whatever form, not what was asked for (faults
// E5 and E7).
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
		{"a client id that is null", `{"client_id":null}`, 201, "", "", nil},
		{"a client id that is empty", `{"client_id":""}`, 201, "", "", nil},
		{"a client id that is an object", `{"client_id":{"a":1}}`, 201, "", "", nil},
		{"nothing", ``, 204, "", "", nil},
		{"half of it", `{"client_id":"c","redir`, 201, "", "", nil},
		{"a refusal under success", `{"client_id":"","error":"invalid_client_metadata"}`, 200, "", "", nil},
		{"202", `{"client_id":"c"}`, 202, "none", "", []string{redirect}},
		{"a byte order mark", "\xEF\xBB\xBF" + `{"client_id":"c"}`, 201, "none", "", []string{redirect}},
		{"UTF-16", inUTF16(`{"client_id":"c"}`), 201, "none", "", []string{redirect}},
		{"something behind it", `{"client_id":"c"}<!-- 3 ms -->`, 201, "none", "", []string{redirect}},
		{"within an object", `{"success":true,"data":{"client_id":"c","client_secret":"s"}}`, 201, "client_secret_basic", "s", []string{redirect}},
		{"other names", `{"clientId":"c","clientSecret":"s","tokenEndpointAuthMethod":"client_secret_post","redirectUris":["` + redirect + `"]}`, 201,
			"client_secret_post", "s", []string{redirect}},
		{"a secret that is empty", `{"client_id":"c","client_secret":"","token_endpoint_auth_method":""}`, 201, "none", "", []string{redirect}},
		{"a secret that is null", `{"client_id":"c","client_secret":null,"token_endpoint_auth_method":null,"grant_types":null}`, 201, "none", "", []string{redirect}},
		{"a method without the secret that it needs", `{"client_id":"c","token_endpoint_auth_method":"client_secret_basic"}`, 201, "none", "", []string{redirect}},
		{"no JSON", `<html>`, 201, "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := record(t, answer{status: test.status, body: test.body})
			got, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL},
				oauth.RegistrationRequest{RedirectURIs: []string{redirect}})
			if (err != nil) != (test.method == "") || got.AuthMethod != test.method || got.Secret.Reveal() != test.secret ||
				!slices.Equal(got.RedirectURIs, test.redirects) {
				t.Errorf("Register = %+v, %v", got, err)
			}
		})
	}
	numbers := record(t, answer{status: 201, body: `{"client_id":12345678901234567890,"client_secret":17,"client_secret_expires_at":-1}`})
	d := credential.Discovery{Issuer: numbers.URL, RegistrationEndpoint: numbers.URL}
	if got, err := oauth.Register(t.Context(), client(), d, oauth.RegistrationRequest{}); err != nil ||
		got.ClientID != "12345678901234567890" || got.Secret.Reveal() != "17" || !got.SecretExpiresAt.IsZero() {
		t.Errorf("numbers: Register = %+v, %v", got, err)
	}
	s := record(t, answer{status: 201, body: `{"client_id":"c","client_secret":"s","client_secret_expires_at":1900000000}`})
	got, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL},
		oauth.RegistrationRequest{})
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
		{401, ``, oauth.Rejected, "401"},
		{404, ``, oauth.Moved, "404"},
		{501, ``, oauth.Moved, "501"},
		{503, ``, oauth.Transient, "503"},
		{403, `<html><title>Access denied</title></html>`, oauth.Transient, "Access denied"},
		{201, `<html><title>Down</title></html>`, oauth.Transient, "Down"},
		{200, `{"error":"invalid_redirect_uri","error_description":"only https"}`, oauth.Rejected, "invalid_redirect_uri: only https"},
		{200, `{"error":"temporarily_unavailable"}`, oauth.Transient, "temporarily_unavailable"},
		{429, `{"error":"slow_down"}`, oauth.Transient, "429"},
	} {
		s := record(t, answer{status: test.status, body: test.body})
		_, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL},
			oauth.RegistrationRequest{})
		var failure *oauth.Error
		if !errors.As(err, &failure) || failure.Class != test.class || !strings.Contains(err.Error(), test.words) ||
			strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d %s: %q, want the class %s", test.status, test.body, err, test.class)
		}
	}
}

// What a server does not register is asked for otherwise: with a secret where it lists
// public clients and registers none, without scopes that it does not know (faults E3 and E5).
func TestRegistrationAsksForWhatIsTaken(t *testing.T) {
	refuse := func(status int, text string) answer { return answer{status: status, body: text} }
	public := refuse(400, `{"error":"invalid_client_metadata","error_description":"public clients are not registered"}`)
	scope := refuse(400, `{"error":"invalid_client_metadata","error_description":"unknown Scope b"}`)
	policy := refuse(403, `{"error":"insufficient_scope","error_description":"Policy 'Allowed Client Scopes' rejected request"}`)
	taken := answer{status: 201, body: `{"client_id":"c","client_secret":"s","token_endpoint_auth_method":"client_secret_post"}`}
	for _, test := range []struct {
		name    string
		methods []string
		answers []answer
		asked   []string // method and scope of each request
		words   string   // of the error, if it comes to nothing
	}{
		{"at once", []string{"none"}, []answer{taken}, []string{"none a b"}, ""},
		{"no public clients, though they are listed", []string{"none"}, []answer{public, taken}, []string{"none a b", "client_secret_basic a b"}, ""},
		{"with the secret in the body", []string{"none", "client_secret_post"}, []answer{public, taken}, []string{"none a b", "client_secret_post a b"}, ""},
		{"no confidential clients where nothing is listed", nil, []answer{refuse(400, ``), taken}, []string{"client_secret_basic a b", "none a b"}, ""},
		{"a scope that it does not know", []string{"none"}, []answer{scope, taken}, []string{"none a b", "none"}, ""},
		{"a policy about scopes", []string{"none"}, []answer{policy, taken}, []string{"none a b", "none"}, ""},
		{"neither", []string{"none"}, []answer{public, scope, public, taken}, []string{"none a b", "client_secret_basic a b", "none", "client_secret_basic"}, ""},
		{"nothing helps: the first refusal is told", []string{"none"}, []answer{public, refuse(400, `{"error":"invalid_client_metadata","error_description":"no"}`)}, []string{"none a b", "client_secret_basic a b", "none", "client_secret_basic"}, "public clients"},
		{"an address that will not do is none of that", []string{"none"}, []answer{refuse(400, `{"error":"invalid_redirect_uri"}`)}, []string{"none a b"}, "invalid_redirect_uri"},
		{"nor is a server that is down", []string{"none"}, []answer{refuse(503, ``)}, []string{"none a b"}, "503"},
		{"nor one that registers nobody", []string{"none"}, []answer{refuse(403, ``)}, []string{"none a b"}, "403"},
		{"nor one that wants to know who asks", []string{"none"}, []answer{refuse(401, `{"error":"invalid_token"}`)}, []string{"none a b"}, "invalid_token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body struct {
					Method string `json:"token_endpoint_auth_method"`
					Scope  string `json:"scope"`
				}
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				next := test.answers[min(len(asked), len(test.answers)-1)]
				asked = append(asked, strings.TrimSpace(body.Method+" "+body.Scope))
				w.WriteHeader(next.status)
				_, _ = w.Write([]byte(next.body))
			}))
			defer s.Close()
			d := credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL, AuthMethods: test.methods}
			_, err := oauth.Register(t.Context(), client(), d,
				oauth.RegistrationRequest{RedirectURIs: []string{redirect}, Scopes: []string{"a", "b"}})
			if (err == nil) != (test.words == "") || err != nil && !strings.Contains(err.Error(), test.words) {
				t.Errorf("Register = %v, want %q", err, test.words)
			}
			if !slices.Equal(asked, test.asked) {
				t.Errorf("asked for %q\nwant       %q", asked, test.asked)
			}
		})
	}
}

// The client of a login on another device is registered for that grant (fault E4), and
// for a browser's too where the server has one.
func TestRegistrationNamesTheGrant(t *testing.T) {
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	for _, test := range []struct {
		offered, grants, responses []string
	}{
		{nil, []string{"authorization_code", device, "refresh_token"}, []string{"code"}},
		{[]string{"authorization_code", device}, []string{"authorization_code", device, "refresh_token"}, []string{"code"}},
		{[]string{device, "refresh_token"}, []string{device, "refresh_token"}, []string{}},
	} {
		var body struct {
			Grants    []string `json:"grant_types"`
			Responses []string `json:"response_types"`
		}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			_, _ = w.Write([]byte(`{"client_id":"c"}`))
		}))
		d := credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL, GrantTypes: test.offered}
		got, err := oauth.Register(t.Context(), client(), d, oauth.RegistrationRequest{RedirectURIs: []string{redirect}, GrantType: device})
		s.Close()
		if err != nil || !slices.Equal(body.Grants, test.grants) || !slices.Equal(body.Responses, test.responses) ||
			!slices.Equal(got.GrantTypes, test.grants) {
			t.Errorf("offered %q: asked for %q and %q, registered %q, %v", test.offered, body.Grants, body.Responses, got.GrantTypes, err)
		}
	}
}

// What a server writes in another form means the same (fault E7).
func TestLenientRegistrationAnswers(t *testing.T) {
	for body, expires := range map[string]int64{
		`{"client_id":"c","client_secret":"s","client_secret_expires_at":"1900000000"}`:                        1900000000,
		`{"client_id":"c","client_secret":"s","client_secret_expires_at":1.9e9}`:                               1900000000,
		`{"client_id":"c","client_secret":"s","client_secret_expires_at":null,"redirect_uris":null}`:           0,
		`{"client_id":"c","client_secret":"s","client_secret_expires_at":"never","redirect_uris":"$redirect"}`: 0,
	} {
		s := record(t, answer{status: 201, body: strings.ReplaceAll(body, "$redirect", redirect)})
		got, err := oauth.Register(t.Context(), client(), credential.Discovery{Issuer: s.URL, RegistrationEndpoint: s.URL},
			oauth.RegistrationRequest{RedirectURIs: []string{redirect}})
		if err != nil || expires == 0 != got.SecretExpiresAt.IsZero() || expires != 0 && got.SecretExpiresAt.Unix() != expires ||
			!slices.Equal(got.RedirectURIs, []string{redirect}) {
			t.Errorf("%s: Register = %+v, %v", body, got, err)
		}
	}
}
