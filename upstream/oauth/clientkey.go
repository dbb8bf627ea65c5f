package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"mcpproxy/credential"

	"github.com/go-jose/go-jose/v4"
)

// privateKeyJWT is how a client shows itself by assertions that it signs (RFC 7523).
const privateKeyJWT = "private_key_jwt"

// rsaBits is the length of RSA keys that are made here (RFC 7518 section 3.3 demands 2048).
const rsaBits = 3072

// clientKey is the key that a dynamic client registers: the private half stays here.
type clientKey struct {
	private   credential.Secret // PEM; zero where none was registered
	id        string
	algorithm string
	public    jose.JSONWebKeySet
}

// signers make keys by algorithm, those first that are preferred.
func signers() []struct {
	algorithm jose.SignatureAlgorithm
	generate  func() (crypto.Signer, error)
} {
	ec := func(curve elliptic.Curve) func() (crypto.Signer, error) {
		return func() (crypto.Signer, error) { return ecdsa.GenerateKey(curve, rand.Reader) }
	}
	edwards := func() (crypto.Signer, error) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	withRSA := func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }
	return []struct {
		algorithm jose.SignatureAlgorithm
		generate  func() (crypto.Signer, error)
	}{
		{jose.ES256, ec(elliptic.P256())},
		{jose.EdDSA, edwards},
		{jose.ES384, ec(elliptic.P384())},
		{jose.ES512, ec(elliptic.P521())},
		{jose.PS256, withRSA},
		{jose.PS384, withRSA},
		{jose.PS512, withRSA},
		{jose.RS256, withRSA},
		{jose.RS384, withRSA},
		{jose.RS512, withRSA},
	}
}

// newClientKey makes a key for one of the algorithms that an authorization server
// takes; where it names none, for the one that it should take (RFC 8414 section 2).
func newClientKey(supported []string) (clientKey, error) {
	if len(supported) == 0 {
		supported = []string{string(jose.RS256)}
	}
	for _, s := range signers() {
		if !slices.Contains(supported, string(s.algorithm)) {
			continue
		}
		private, err := s.generate()
		if err != nil {
			return clientKey{}, err
		}
		text, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return clientKey{}, err
		}
		public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(s.algorithm), Use: "sig"}
		digest, err := public.Thumbprint(crypto.SHA256)
		if err != nil {
			return clientKey{}, err
		}
		public.KeyID = base64.RawURLEncoding.EncodeToString(digest)
		return clientKey{
			private:   credential.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))),
			id:        public.KeyID,
			algorithm: public.Algorithm,
			public:    jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}},
		}, nil
	}
	return clientKey{}, fmt.Errorf("the authorization server takes client assertions (private_key_jwt) signed with %q only, "+
		"of which this program has none; register a client there and put its id into the configuration (oauth.clientId)", supported)
}

// join gives a client that is to sign its assertions the key that it was registered
// with. One that is not keeps no key.
func (k *clientKey) join(r *credential.Registration, said *registrationAnswer) error {
	if !k.private.IsZero() && said.AuthMethod == "" && said.ClientSecret == "" {
		r.AuthMethod = privateKeyJWT // it was asked for, and nothing was put in its place
	}
	switch {
	case r.AuthMethod != privateKeyJWT:
		return nil
	case k.private.IsZero():
		return errors.New("the authorization server has registered a client that signs its assertions (private_key_jwt), and has no key of it; " +
			"say so in the configuration (oauth.tokenEndpointAuthMethod), and a key is made and registered")
	}
	r.Key, r.KeyID, r.Algorithm = k.private, k.id, k.algorithm
	return nil
}
