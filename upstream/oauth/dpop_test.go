package oauth_test

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// proof is what a DPoP header says, checked with the key that it carries.
func proof(t *testing.T, text string) (claims map[string]any) {
	t.Helper()
	signed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := signed.Headers[0]
	if header.ExtraHeaders["typ"] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() {
		t.Fatalf("the header is %+v", header)
	}
	if err := signed.Claims(header.JSONWebKey, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// RFC 9449 section 4.2: a proof is for one request.
func TestProofIsForOneRequest(t *testing.T) {
	key, err := credential.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	target, _ := url.Parse("https://mcp.example/mcp?query=1#fragment")
	var ids []any
	for range 2 {
		text, err := oauth.Proof(key, http.MethodPost, target, secret("access"), "nonce-1")
		if err != nil {
			t.Fatal(err)
		}
		claims := proof(t, text)
		digest := sha256.Sum256([]byte("access"))
		if claims["htm"] != "POST" || claims["htu"] != "https://mcp.example/mcp" || claims["nonce"] != "nonce-1" ||
			claims["ath"] != base64.RawURLEncoding.EncodeToString(digest[:]) {
			t.Errorf("the claims are %v", claims)
		}
		if at := time.Unix(int64(claims["iat"].(float64)), 0); time.Since(at).Abs() > time.Minute {
			t.Errorf("it was made at %v", at)
		}
		ids = append(ids, claims["jti"])
	}
	if ids[0] == ids[1] || ids[0] == "" {
		t.Errorf("the ids are %v", ids)
	}
	if _, err := oauth.Proof(secret("lost"), http.MethodPost, target, secret("access"), ""); err == nil {
		t.Error("a proof was made without a key")
	}
}

// RFC 7638 section 3: the name of a key is the same whoever computes it, and that of
// the key in the proof's header, which is how a server knows it (RFC 9449 section 6).
func TestThumbprintIsThatOfTheProof(t *testing.T) {
	key, err := credential.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	target, _ := url.Parse("https://mcp.example/mcp")
	text, err := oauth.Proof(key, http.MethodGet, target, secret("access"), "")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := signed.Headers[0].JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := credential.Thumbprint(key), base64.RawURLEncoding.EncodeToString(digest); got != want {
		t.Errorf("the thumbprint is %q and that of the proof's key %q", got, want)
	}
	for name, none := range map[string]credential.Secret{"no key": {}, "no PEM": secret("lost")} {
		if got := credential.Thumbprint(none); got != "" {
			t.Errorf("%s has the thumbprint %q", name, got)
		}
	}
}

// RFC 9449 section 8: the request is sent once more with the server's nonce, and not
// a third time; a token that is not bound is refused.
func TestBoundTokens(t *testing.T) {
	key, err := credential.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	demand := answer{status: 400, header: http.Header{"Dpop-Nonce": {"n-1"}}, body: `{"error":"use_dpop_nonce"}`}
	refused := answer{status: 400, header: http.Header{"Dpop-Nonce": {"n-1"}}, body: `{"error":"invalid_grant"}`}
	bound := answer{status: 200, body: `{"access_token":"a","token_type":"DPoP"}`}
	for _, test := range []struct {
		name     string
		answers  []answer
		requests int
		taken    bool
	}{
		{"at once", []answer{bound}, 1, true},
		{"with a nonce", []answer{demand, bound}, 2, true},
		{"a server that is never content", []answer{demand}, 2, false},
		{"a refusal that comes with the next nonce", []answer{refused}, 1, false},
		{"a token that is not bound", []answer{taken}, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := record(t, test.answers...)
			token, err := oauth.Refresh(t.Context(), client(), credential.Token{TokenEndpoint: s.URL + "/token", Refresh: secret("r"), Key: key},
				credential.Registration{ClientID: "c", AuthMethod: "none"}, oauth.RefreshOptions{})
			if (err == nil) != test.taken || test.taken && (token.Type != "DPoP" || token.Key != key) || len(s.asked) != test.requests {
				t.Errorf("%+v, %v after %d requests", token, err, len(s.asked))
			}
			for i, r := range s.asked {
				claims := proof(t, r.Header.Get("DPoP"))
				if claims["htu"] != s.URL+"/token" || (claims["nonce"] == "n-1") != (i == 1) || r.form.Get("refresh_token") != "r" {
					t.Errorf("request %d: %v, %s", i+1, claims, said(r.form))
				}
			}
		})
	}
}
