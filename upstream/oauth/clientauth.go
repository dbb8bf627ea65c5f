package oauth

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
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
	case privateKeyJWT:
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

// clientAssertion signs a new assertion, for the issuer, or what the configuration says
// that it calls itself, and nobody else.
func clientAssertion(r credential.Registration) (string, error) {
	private, err := credential.ParseKey(r.Key)
	if err != nil {
		return "", err
	}
	algorithm := jose.SignatureAlgorithm(r.Algorithm)
	if algorithm == "" {
		if algorithm, err = algorithmOf(private); err != nil {
			return "", err
		}
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
	return jwt.Signed(signer).Claims(jwt.Claims{Issuer: r.ClientID, Subject: r.ClientID, Audience: jwt.Audience{cmp.Or(r.Audience, r.Issuer)},
		ID:       rand.Text(),
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
