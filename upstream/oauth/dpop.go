package oauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// proofClaims are those of a proof of possession (RFC 9449 section 4.2).
type proofClaims struct {
	ID       string           `json:"jti"`
	Method   string           `json:"htm"`
	URL      string           `json:"htu"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	Access   string           `json:"ath,omitempty"`
	Nonce    string           `json:"nonce,omitempty"`
}

// Proof makes the DPoP header of one request: a new one for each, bound to its
// method, its address without query, and the access token that it carries, if any.
func Proof(key credential.Secret, method string, target *url.URL, access credential.Secret, nonce string) (string, error) {
	private, err := credential.ParseKey(key)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, options)
	if err != nil {
		return "", fmt.Errorf("signing a proof of possession: %w", err)
	}
	claims := proofClaims{
		ID:       rand.Text(),
		Method:   method,
		URL:      target.Scheme + "://" + target.Host + target.EscapedPath(),
		IssuedAt: jwt.NewNumericDate(time.Now()),
		Nonce:    nonce,
	}
	if !access.IsZero() {
		digest := sha256.Sum256([]byte(access.Reveal()))
		claims.Access = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// NonceDemanded reports whether an answer asks for the request once more with the
// nonce that it gives (RFC 9449 sections 8 and 9).
func NonceDemanded(response *http.Response) (nonce string, demanded bool) {
	nonce = response.Header.Get("DPoP-Nonce")
	if nonce == "" {
		return "", false
	}
	for _, c := range ParseChallenges(response.Header) {
		if strings.EqualFold(c.Scheme, "DPoP") && c.Error == "use_dpop_nonce" {
			return nonce, true
		}
	}
	return nonce, false
}

// Nonces are those of an authorization server, for the proofs at its token endpoint
// (RFC 9449 section 8).
type Nonces struct {
	// Last is the newest one that is known; empty for none.
	Last string
	// Demanded, if set, is asked whether a request that was not carried out for want of a
	// nonce is sent once more with it.
	Demanded func(nonce string) bool
	// Given, if set, is told of the nonce for the next request that comes with an answer.
	Given func(nonce string)
}

type noncesKey struct{}

// WithNonces makes token requests with ctx use n.
func WithNonces(ctx context.Context, n Nonces) context.Context {
	return context.WithValue(ctx, noncesKey{}, n)
}

func noncesOf(ctx context.Context) Nonces {
	n, _ := ctx.Value(noncesKey{}).(Nonces) // the zero value knows none and asks nobody
	if n.Demanded == nil {
		n.Demanded = func(string) bool { return true }
	}
	if n.Given == nil {
		n.Given = func(string) {}
	}
	return n
}

// proving puts a proof of possession on each token request.
type proving struct {
	next http.RoundTripper
	key  credential.Secret
}

// withProof returns hc, or a client that proves possession of key where there is one.
func withProof(hc *http.Client, key credential.Secret) *http.Client {
	if key.IsZero() {
		return hc
	}
	proved := *hc
	next := hc.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	proved.Transport = &proving{next: next, key: key}
	return &proved
}

// RoundTrip implements [http.RoundTripper]. A server that wants a nonce has not
// carried the request out, so it is sent once more with it.
func (p *proving) RoundTrip(request *http.Request) (*http.Response, error) {
	nonces := noncesOf(request.Context())
	response, err := p.send(request, nonces.Last)
	if err == nil && response.StatusCode/100 == 2 {
		p.given(response, nonces)
	}
	if err != nil || response.StatusCode != http.StatusBadRequest && response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	nonce := response.Header.Get("DPoP-Nonce")
	if nonce == "" || request.GetBody == nil {
		return response, nil
	}
	demanded, err := nonceDemanded(response)
	if err != nil || !demanded || !nonces.Demanded(nonce) {
		return response, err
	}
	again := request.Clone(request.Context())
	if again.Body, err = request.GetBody(); err != nil {
		return nil, err
	}
	if response, err = p.send(again, nonce); err == nil && response.StatusCode/100 == 2 {
		p.given(response, nonces)
	}
	return response, err
}

func (p *proving) given(response *http.Response, nonces Nonces) {
	if nonce := response.Header.Get("DPoP-Nonce"); nonce != "" {
		nonces.Given(nonce)
	}
}

// nonceDemanded reads the error of an answer of the token endpoint (RFC 9449 section
// 8), and leaves its body to be read again. Any other answer may come with a nonce too,
// for the next request: a code or refresh token that was refused is not sent again for it.
func nonceDemanded(response *http.Response) (bool, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	closed := response.Body.Close()
	if err = errors.Join(err, closed); err != nil {
		return false, err
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	var refusal struct {
		Error string `json:"error"`
	}
	return json.Unmarshal(text, &refusal) == nil && refusal.Error == "use_dpop_nonce", nil
}

func (p *proving) send(request *http.Request, nonce string) (*http.Response, error) {
	proof, err := Proof(p.key, request.Method, request.URL, credential.Secret{}, nonce)
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.Header.Set("DPoP", proof)
	return p.next.RoundTrip(request)
}
