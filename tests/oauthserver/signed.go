package oauthserver

import (
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	signedMethod = "private_key_jwt"
	signedType   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// keySet are the keys that a client registers.
type keySet struct{ jose.JSONWebKeySet }

// public reports whether there are keys, and none of them tells its private half.
func (k *keySet) public() bool {
	if k == nil || len(k.Keys) == 0 {
		return false
	}
	for _, key := range k.Keys {
		if !key.IsPublic() || !key.Valid() || key.KeyID == "" {
			return false
		}
	}
	return true
}

// algorithms are those that assertions are signed with.
func (s *Server) algorithms() []jose.SignatureAlgorithm {
	if s.options.SignedOnly != "" {
		return []jose.SignatureAlgorithm{jose.SignatureAlgorithm(s.options.SignedOnly)}
	}
	return []jose.SignatureAlgorithm{jose.RS256}
}

// authenticateSigned finds the client by its assertion (RFC 7523 section 3), which is
// good once, for this server and for a short time; nil where there is none that is.
func (s *Server) authenticateSigned(r *http.Request) *client {
	if r.PostFormValue("client_assertion_type") != signedType || r.PostFormValue("client_secret") != "" {
		return nil
	}
	token, err := jwt.ParseSigned(r.PostFormValue("client_assertion"), s.algorithms())
	if err != nil {
		return nil
	}
	var claims jwt.Claims
	if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil {
		return nil
	}
	c := s.find(claims.Subject)
	if c == nil || c.keys == nil || token.Claims(c.keys.JSONWebKeySet, &claims) != nil || claims.ID == "" || claims.Expiry == nil {
		return nil
	}
	if id := r.PostFormValue("client_id"); id != "" && id != c.id {
		return nil
	}
	if claims.ValidateWithLeeway(jwt.Expected{
		Issuer:      c.id,
		Subject:     c.id,
		AnyAudience: jwt.Audience{s.issuer()},
		Time:        s.options.Clock(),
	}, time.Minute) != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants.shown[claims.ID] {
		return nil
	}
	s.grants.shown[claims.ID] = true
	return c
}
