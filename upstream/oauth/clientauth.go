package oauth

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcpproxy/credential"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"
)

// assertionLife is how long a client assertion is valid.
const assertionLife = time.Minute

// clientAuth is how a client shows who it is at the token endpoint (RFC 6749
// section 2.3, RFC 7523 section 2.2).
type clientAuth struct {
	id, secret string
	style      oauth2.AuthStyle
	// parameters carry the assertion of private_key_jwt, and what the configuration adds.
	parameters url.Values
}

func authenticate(r credential.Registration) (clientAuth, error) {
	a := clientAuth{id: r.ClientID, secret: r.Secret.Reveal(), style: oauth2.AuthStyleInParams, parameters: url.Values{}}
	for name, value := range r.TokenParameters {
		a.parameters.Set(name, value)
	}
	switch r.AuthMethod {
	case "client_secret_basic":
		a.style = oauth2.AuthStyleInHeader
	case "none":
		a.secret = ""
	case "private_key_jwt":
		assertion, err := clientAssertion(r)
		if err != nil {
			return a, &Error{Operation: "client authentication", Class: Misconfigured, Err: err}
		}
		a.secret = ""
		a.parameters.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		a.parameters.Set("client_assertion", assertion)
	}
	return a, nil
}

// add joins the parameters of the authentication with those of a request, which come first.
func (a clientAuth) add(parameters url.Values) url.Values {
	for name, values := range a.parameters {
		if _, there := parameters[name]; !there {
			parameters[name] = values
		}
	}
	return parameters
}

// options are the parameters for a request that x/oauth2 builds.
func (a clientAuth) options() []oauth2.AuthCodeOption {
	var all []oauth2.AuthCodeOption
	for name, values := range a.parameters {
		all = append(all, oauth2.SetAuthURLParam(name, values[0]))
	}
	return all
}

// postForm sends a form as the client and returns the answer, of which the caller closes
// the body. What is not https is refused before.
func postForm(ctx context.Context, hc *http.Client, operation, endpoint string, r credential.Registration, form url.Values) (*http.Response, error) {
	failure := &Error{Operation: operation, URL: where(endpoint), Class: Misconfigured}
	r.TokenParameters = nil // for the token endpoint alone
	auth, err := authenticate(r)
	if err != nil {
		return nil, err
	}
	form = auth.add(form)
	if auth.style != oauth2.AuthStyleInHeader {
		form.Set("client_id", auth.id)
		if auth.secret != "" {
			form.Set("client_secret", auth.secret)
		}
	}
	if failure.Err = checkURL(endpoint); failure.Err != nil {
		return nil, failure
	}
	ctx, sent := traced(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		failure.Err = err
		return nil, failure
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if auth.style == oauth2.AuthStyleInHeader {
		request.SetBasicAuth(url.QueryEscape(auth.id), url.QueryEscape(auth.secret))
	}
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = classOfNetwork(err, sent.Load()), stripURL(err)
		return nil, failure
	}
	return response, nil
}

// clientAssertion signs a new assertion, for the issuer, or what the configuration says
// that it calls itself, and nobody else.
func clientAssertion(r credential.Registration) (string, error) {
	private, err := parseKey(r.Key)
	if err != nil {
		return "", err
	}
	algorithm, err := algorithmOf(private)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if r.KeyID != "" {
		options = options.WithHeader("kid", r.KeyID)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: private}, options)
	if err != nil {
		return "", fmt.Errorf("signing a client assertion: %w", err)
	}
	now := time.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{Issuer: r.ClientID, Subject: r.ClientID, Audience: jwt.Audience{cmp.Or(r.Audience, r.Issuer)}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLife))}).Serialize()
}

func algorithmOf(private any) (jose.SignatureAlgorithm, error) {
	switch key := private.(type) {
	case *ecdsa.PrivateKey:
		switch key.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case ed25519.PrivateKey:
		return jose.EdDSA, nil
	}
	return "", errors.New("the private key is neither RSA, nor EC (P-256, P-384, P-521), nor Ed25519")
}
