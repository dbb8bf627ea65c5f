package oauth_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"

	"github.com/go-jose/go-jose/v4"
)

// registering answers registrations with these, one after the other, and keeps what was asked for.
func registering(t *testing.T, answers ...string) (address string, asked func() []string) {
	t.Helper()
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		next := answers[min(len(bodies), len(answers)-1)]
		bodies = append(bodies, string(text))
		if strings.Contains(next, `"error"`) {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write([]byte(next))
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string { return bodies }
}

// A key is made for an algorithm that the server takes, and its public half alone is
// registered (RFC 7591 section 2).
func TestRegistrationOfAKey(t *testing.T) {
	for _, test := range []struct {
		methods, algorithms []string
		want                string // the algorithm
	}{
		{[]string{"private_key_jwt"}, []string{"RS256", "ES256"}, "ES256"},
		{[]string{"private_key_jwt"}, []string{"HS256", "PS256", "RS256"}, "PS256"},
		{[]string{"private_key_jwt", "tls_client_auth"}, []string{"EdDSA"}, "EdDSA"},
		{[]string{"private_key_jwt"}, []string{"ES512"}, "ES512"},
		{[]string{"private_key_jwt"}, nil, "RS256"},
	} {
		address, asked := registering(t, `{"client_id":"c","token_endpoint_auth_method":"private_key_jwt"}`)
		d := credential.Discovery{Issuer: address, RegistrationEndpoint: address, AuthMethods: test.methods, SigningAlgorithms: test.algorithms}
		got, err := oauth.Register(t.Context(), client(), d, oauth.RegistrationRequest{RedirectURIs: []string{redirect}})
		if err != nil {
			t.Fatalf("%v: %v", test, err)
		}
		var said struct {
			Method    string             `json:"token_endpoint_auth_method"`
			Algorithm string             `json:"token_endpoint_auth_signing_alg"`
			Keys      jose.JSONWebKeySet `json:"jwks"`
		}
		if err := json.Unmarshal([]byte(asked()[0]), &said); err != nil {
			t.Fatal(err)
		}
		if said.Method != "private_key_jwt" || said.Algorithm != test.want || len(said.Keys.Keys) != 1 || !said.Keys.Keys[0].IsPublic() ||
			said.Keys.Keys[0].KeyID != got.KeyID || said.Keys.Keys[0].Algorithm != test.want || strings.Contains(asked()[0], `"d"`) {
			t.Errorf("asked for %s, want %s", asked()[0], test.want)
		}
		if got.AuthMethod != "private_key_jwt" || got.Algorithm != test.want || got.Key.IsZero() {
			t.Errorf("registered %+v, want %s", got, test.want)
		}
	}
}

// What was registered counts: a method that was not asked for, or none that is named.
func TestAnswersToTheRegistrationOfAKey(t *testing.T) {
	const unknown = `{"error":"invalid_client_metadata"}`
	signed := []string{"private_key_jwt"}
	for _, test := range []struct {
		name     string
		methods  []string
		demanded string
		algs     []string
		answers  []string
		method   string // empty: an error with the words
		words    string
		asked    int
	}{
		{"no method in the answer", signed, "", nil, []string{`{"client_id":"c"}`}, "private_key_jwt", "", 1},
		{"a secret in its place", signed, "", nil, []string{`{"client_id":"c","client_secret":"s"}`}, "client_secret_basic", "", 1},
		{"a public client in its place", signed, "", nil, []string{`{"client_id":"c","token_endpoint_auth_method":"none"}`}, "none", "", 1},
		{"after simpler ones were refused", []string{"none", "client_secret_basic", "private_key_jwt"}, "", nil,
			[]string{unknown, unknown, `{"client_id":"c"}`}, "private_key_jwt", "", 3},
		{"in place of a public client", []string{"none"}, "", nil,
			[]string{`{"client_id":"c","token_endpoint_auth_method":"private_key_jwt"}`}, "", "oauth.tokenEndpointAuthMethod", 1},
		{"as the configuration demands", []string{"none"}, "private_key_jwt", nil, []string{`{"client_id":"c"}`}, "private_key_jwt", "", 1},
		{"an algorithm that is not known", signed, "", []string{"HS256", "XY1"}, []string{`{"client_id":"c"}`}, "", "oauth.clientId", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, asked := registering(t, test.answers...)
			d := credential.Discovery{Issuer: address, RegistrationEndpoint: address, AuthMethods: test.methods, SigningAlgorithms: test.algs}
			got, err := oauth.Register(t.Context(), client(), d,
				oauth.RegistrationRequest{RedirectURIs: []string{redirect}, AuthMethod: test.demanded})
			var failure *oauth.Error
			switch {
			case test.method == "" && (!errors.As(err, &failure) || !strings.Contains(err.Error(), test.words)):
				t.Errorf("Register = %+v, %v", got, err)
			case test.method != "" && (err != nil || got.AuthMethod != test.method || got.Key.IsZero() != (test.method != "private_key_jwt")):
				t.Errorf("Register = %+v, %v", got, err)
			}
			if len(asked()) != test.asked {
				t.Errorf("asked %d times", len(asked()))
			}
		})
	}
}
