package credential

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// NewKey makes the key that a token is bound to (RFC 9449): ES256, as PEM.
func NewKey() (Secret, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Secret{}, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}))), nil
}

// Thumbprint names the public half of a key (RFC 7638, as the confirmation jkt of RFC
// 9449 section 6), which is no secret; it is empty where there is no key.
func Thumbprint(key Secret) string {
	if key.IsZero() {
		return ""
	}
	private, err := ParseKey(key)
	if err != nil {
		return ""
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return ""
	}
	digest, err := (&jose.JSONWebKey{Key: signer.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(digest)
}

// ParseKey reads a private key: PEM, PKCS #8, PKCS #1 or SEC 1.
func ParseKey(key Secret) (any, error) {
	block, _ := pem.Decode([]byte(key.Reveal()))
	if block == nil {
		return nil, errors.New("the private key is not PEM (-----BEGIN PRIVATE KEY-----)")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if ec, ecErr := x509.ParseECPrivateKey(block.Bytes); ecErr == nil {
			return ec, nil
		}
		if key, rsaErr := x509.ParsePKCS1PrivateKey(block.Bytes); rsaErr == nil {
			return key, nil
		}
		return nil, fmt.Errorf("the private key is neither PKCS #8 nor an RSA or EC key (one with a passphrase cannot be used): %w", err)
	}
	return private, nil
}
