package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func pemOf(t *testing.T, key any) credential.Secret {
	t.Helper()
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})))
}

// Each request is a form in the body of a POST; the client shows who it is in the
// one way that its registration names (RFC 6749 sections 2.3, 3.2 and 4.1.3).
func TestTokenRequests(t *testing.T) {
	const basic, post, none = "client_secret_basic", "client_secret_post", "none"
	confidential := func(method string) credential.Registration {
		return credential.Registration{ClientID: "client:1", Secret: secret("s: %+"), AuthMethod: method}
	}
	exchange := func(r credential.Registration) func(string) error {
		return func(endpoint string) error {
			flow := credential.Flow{TokenEndpoint: endpoint, RedirectURI: redirect, Verifier: secret("verifier"),
				Resource: "https://mcp.example/mcp", Registration: r}
			_, err := oauth.Exchange(context.Background(), client(), flow, secret("code"), 1)
			return err
		}
	}
	refresh := func(r credential.Registration, o oauth.RefreshOptions) func(string) error {
		return func(endpoint string) error {
			token := credential.Token{TokenEndpoint: endpoint, Refresh: secret("refresh"), Resource: "https://mcp.example/mcp",
				Scopes: []string{"a", "b"}}
			_, err := oauth.Refresh(context.Background(), client(), token, r, o)
			return err
		}
	}
	grant := func(r credential.Registration, g oauth.GrantRequest) func(string) error {
		return func(endpoint string) error {
			_, err := oauth.Grant(context.Background(), client(),
				credential.Discovery{TokenEndpoint: endpoint, Resource: "https://mcp.example/mcp"}, r, g)
			return err
		}
	}
	anyone := credential.Registration{ClientID: "c", AuthMethod: none}
	device := func(endpoint string) error {
		flow := credential.Flow{TokenEndpoint: endpoint, DeviceCode: secret("device"), Deadline: time.Now().Add(time.Hour),
			Resource: "https://mcp.example/mcp", Registration: anyone}
		_, err := oauth.AwaitDevice(context.Background(), client(), flow, 1)
		return err
	}
	const code = "code=code code_verifier=verifier grant_type=authorization_code redirect_uri=" +
		"http://127.0.0.1:4711/callback resource=https://mcp.example/mcp"
	for _, test := range []struct {
		name  string
		send  func(endpoint string) error
		form  string
		basic string // the Authorization header's user and password, decoded from the form encoding
	}{
		{"a code, of a public client", exchange(credential.Registration{ClientID: "c", Secret: secret("never sent"), AuthMethod: none}), "client_id=c " + code, ""},
		{"a code, with client_secret_basic", exchange(confidential(basic)), code, "client:1 s: %+"},
		{"a code, with client_secret_post", exchange(confidential(post)), "client_id=client:1 client_secret=s: %+ " + code, ""},
		{"a refresh token, of a public client", refresh(anyone, oauth.RefreshOptions{}), "client_id=c grant_type=refresh_token refresh_token=refresh resource=https://mcp.example/mcp", ""},
		{"a refresh token, with client_secret_basic", refresh(confidential(basic), oauth.RefreshOptions{}), "grant_type=refresh_token refresh_token=refresh resource=https://mcp.example/mcp", "client:1 s: %+"},
		{"a refresh token, with client_secret_post", refresh(confidential(post), oauth.RefreshOptions{}), "client_id=client:1 client_secret=s: %+ grant_type=refresh_token refresh_token=refresh resource=https://mcp.example/mcp", ""},
		{"a refresh token, for servers that insist", refresh(anyone, oauth.RefreshOptions{SendScope: true, OmitResource: true}), "client_id=c grant_type=refresh_token refresh_token=refresh scope=a b", ""},
		{"a device code", device, "client_id=c device_code=device grant_type=urn:ietf:params:oauth:grant-type:device_code resource=https://mcp.example/mcp", ""},
		{"client credentials", grant(confidential(basic), oauth.GrantRequest{Scopes: []string{"a", "b"}}), "grant_type=client_credentials resource=https://mcp.example/mcp scope=a b", "client:1 s: %+"},
		{"a workload's JWT, without a client", grant(credential.Registration{AuthMethod: none}, oauth.GrantRequest{Assertion: secret("jwt")}), "assertion=jwt grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer resource=https://mcp.example/mcp", ""},
		{"an identity assertion", grant(confidential(post), oauth.GrantRequest{Assertion: secret("id-jag")}), "assertion=id-jag client_id=client:1 client_secret=s: %+ grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer resource=https://mcp.example/mcp", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := record(t, taken)
			if err := test.send(s.URL + "/token"); err != nil {
				t.Fatal(err)
			}
			r := s.only(t)
			if r.Method != http.MethodPost || r.URL.RawQuery != "" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("%s %s %q", r.Method, r.URL, r.Header.Get("Content-Type"))
			}
			if got := said(r.form); got != test.form {
				t.Errorf("sent %s\nwant %s", got, test.form)
			}
			id, password, _ := r.BasicAuth()
			id, _ = url.QueryUnescape(id)
			password, _ = url.QueryUnescape(password)
			if got := strings.TrimSpace(id + " " + password); got != test.basic || test.basic == "" && r.Header.Get("Authorization") != "" {
				t.Errorf("the Authorization header says %q, want %q", got, test.basic)
			}
		})
	}
}

// RFC 7523 section 3: for the issuer alone, short-lived, and a new one each time.
func TestClientAssertions(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for algorithm, key := range map[jose.SignatureAlgorithm]struct{ private, public any }{jose.ES256: {p256, &p256.PublicKey},
		jose.EdDSA: {edwards, public}} {
		s := record(t, taken)
		r := credential.Registration{Issuer: "https://as.example", ClientID: "c", AuthMethod: "private_key_jwt", Key: pemOf(t, key.private),
			KeyID: "k1", Secret: secret("never sent")}
		ids := map[string]bool{}
		for range 2 {
			if _, err := oauth.Grant(t.Context(), client(), credential.Discovery{TokenEndpoint: s.URL}, r, oauth.GrantRequest{}); err != nil {
				t.Fatal(err)
			}
			form := s.asked[len(s.asked)-1].form
			signed, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{algorithm})
			if err != nil || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" ||
				form.Has("client_secret") {
				t.Fatalf("%s: %v", said(form), err)
			}
			var claims jwt.Claims
			if err := signed.Claims(key.public, &claims); err != nil || signed.Headers[0].KeyID != "k1" {
				t.Errorf("%s: %v, %+v", algorithm, err, signed.Headers)
			}
			if claims.Issuer != "c" || claims.Subject != "c" || !slices.Equal(claims.Audience, []string{"https://as.example"}) ||
				claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > 5*time.Minute {
				t.Errorf("%s: the claims are %+v", algorithm, claims)
			}
			ids[claims.ID] = true
		}
		if len(ids) != 2 {
			t.Errorf("%s: two requests have the ids %v", algorithm, ids)
		}
	}
}

// RFC 6749 section 6: what is returned replaces, what is not stays.
func TestRotationChain(t *testing.T) {
	var last string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.PostFormValue("refresh_token"); got != last {
			t.Errorf("%q was sent and %q is current", got, last)
		}
		last += "x"
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"a","token_type":"Bearer","refresh_token":"` + last + `"}`))
	}))
	defer s.Close()
	last = "r"
	token := credential.Token{Generation: 1, TokenEndpoint: s.URL, Refresh: secret("r")}
	var err error
	for range 100 {
		if token, err = oauth.Refresh(t.Context(), client(), token, credential.Registration{ClientID: "c", AuthMethod: "none"},
			oauth.RefreshOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if token.Generation != 101 || token.Refresh.Reveal() != last {
		t.Errorf("after 100 rotations: %d", token.Generation)
	}
	keeps := record(t, answer{status: 200, body: `{"access_token":"a","token_type":"Bearer"}`})
	token.TokenEndpoint = keeps.URL
	if next, err := oauth.Refresh(t.Context(), client(), token, credential.Registration{ClientID: "c", AuthMethod: "none"},
		oauth.RefreshOptions{}); err != nil || next.Refresh != token.Refresh {
		t.Errorf("a server that does not rotate: %v", err)
	}
}

// A request that reached nobody has spent nothing.
func TestTokenRequestThatIsNotSent(t *testing.T) {
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: nobody.URL, Refresh: secret("r")},
		credential.Registration{ClientID: "c", AuthMethod: "none"}, oauth.RefreshOptions{})
	var failure *oauth.Error
	if !errors.As(err, &failure) || failure.Class != oauth.NotSent {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestTokenEndpointsNeedTLS(t *testing.T) {
	_, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: "http://as.example/token",
		Refresh: secret("the-refresh-token")}, credential.Registration{}, oauth.RefreshOptions{})
	if err == nil || !strings.Contains(err.Error(), "neither https") {
		t.Errorf("plain HTTP: %v", err)
	}
	unknown := httptest.NewUnstartedServer(http.NotFoundHandler())
	unknown.Config.ErrorLog = log.New(io.Discard, "", 0)
	unknown.StartTLS()
	defer unknown.Close()
	_, err = oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: unknown.URL, Refresh: secret("the-refresh-token")},
		credential.Registration{}, oauth.RefreshOptions{})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

// RFC 7009: the refresh token where there is one, with the client's own credentials.
func TestRevocation(t *testing.T) {
	for _, test := range []struct {
		name  string
		token credential.Token
		r     credential.Registration
		form  string
	}{
		{"the refresh token", credential.Token{Access: secret("a"), Refresh: secret("r"), ExpiresAt: time.Now().Add(-time.Hour), ObtainedAt: time.Now().Add(-2 * time.Hour)}, credential.Registration{ClientID: "c", AuthMethod: "none"}, "client_id=c token=r token_type_hint=refresh_token"},
		{"the access token", credential.Token{Access: secret("a")}, credential.Registration{ClientID: "c", Secret: secret("s"), AuthMethod: "client_secret_post"}, "client_id=c client_secret=s token=a token_type_hint=access_token"},
		{"with client_secret_basic", credential.Token{Access: secret("a")}, credential.Registration{ClientID: "c", Secret: secret("s"), AuthMethod: "client_secret_basic"}, "token=a token_type_hint=access_token"},
	} {
		s := record(t, answer{status: 200})
		test.token.RevocationEndpoint = s.URL
		if _, err := oauth.Revoke(t.Context(), client(), test.token, test.r); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if r := s.only(t); said(r.form) != test.form || (r.Header.Get("Authorization") != "") != (test.r.AuthMethod == "client_secret_basic") {
			t.Errorf("%s: sent %s", test.name, said(r.form))
		}
	}
}

// RFC 8693 section 2; MCP extension enterprise-managed authorization.
func TestIdentityExchange(t *testing.T) {
	for _, test := range []struct {
		body string
		want string
	}{
		{`{"access_token":"the-grant","issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"N_A","expires_in":60}`, "the-grant"},
		{`{"access_token":"a-token","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer"}`, ""},
		{`{"access_token":"a-token","token_type":"N_A"}`, ""},
	} {
		s := record(t, answer{status: 200, body: test.body})
		got, err := oauth.ExchangeIdentity(t.Context(), client(), oauth.IdentityProvider{TokenEndpoint: s.URL, IDToken: secret("id-token"),
			Registration: credential.Registration{ClientID: "idp-client", AuthMethod: "none"}},
			credential.Discovery{Issuer: "https://as.example", Resource: "https://mcp.example/mcp"})
		if got.Reveal() != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: %q, %v", test.body, got.Reveal(), err)
		}
		const form = "audience=https://as.example client_id=idp-client grant_type=urn:ietf:params:oauth:grant-type:token-exchange " +
			"requested_token_type=urn:ietf:params:oauth:token-type:id-jag resource=https://mcp.example/mcp subject_token=id-token " +
			"subject_token_type=urn:ietf:params:oauth:token-type:id_token"
		if r := s.only(t); said(r.form) != form {
			t.Errorf("sent %s\nwant %s", said(r.form), form)
		}
	}
}
