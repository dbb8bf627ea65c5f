package oauthserver

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// proofLife is how far the time of a proof may be from the server's clock.
const proofLife = time.Minute

// nonces are what proofs have to carry, one for each endpoint (RFC 9449 sections 8
// and 9); the server's lock guards them.
type nonces struct {
	token, resource string
	// proofs are the ids of those that were taken.
	proofs map[string]bool
}

// RenewNonces makes the nonces that were given out too old.
func (s *Server) RenewNonces() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonces.token, s.nonces.resource = "n-"+rand.Text(), "n-"+rand.Text()
}

var errNonce = errors.New("use_dpop_nonce")

// proof checks the proof of possession of a request (RFC 9449 section 4.3) and returns
// the thumbprint of its key. Where nonces are demanded they stand for the time, as the
// clocks of clients may be off (section 11.1).
func (s *Server) proof(r *http.Request, access, nonce string) (string, error) {
	headers := r.Header.Values("DPoP")
	if len(headers) != 1 {
		return "", errors.New("there is not one proof")
	}
	signed, err := jwt.ParseSigned(headers[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	key := signed.Headers[0].JSONWebKey
	if key == nil || !key.IsPublic() || signed.Headers[0].ExtraHeaders["typ"] != "dpop+jwt" {
		return "", errors.New("the proof's header is not that of a proof")
	}
	var claims struct {
		ID     string `json:"jti"`
		Method string `json:"htm"`
		URL    string `json:"htu"`
		At     int64  `json:"iat"`
		Access string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
	if err := signed.Claims(key, &claims); err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(access))
	s.mu.Lock()
	used := s.nonces.proofs[claims.ID]
	s.nonces.proofs[claims.ID] = true
	s.mu.Unlock()
	switch {
	case used || claims.ID == "":
		return "", errors.New("the proof was used before")
	case claims.Method != r.Method || claims.URL != s.url+r.URL.Path:
		return "", errors.New("the proof is for another request")
	case access != "" && claims.Access != base64.RawURLEncoding.EncodeToString(digest[:]):
		return "", errors.New("the proof is for another token")
	case nonce != "" && claims.Nonce != nonce:
		return "", errNonce
	case nonce == "" && s.options.Clock().Sub(time.Unix(claims.At, 0)).Abs() > proofLife:
		return "", errors.New("the proof is too old or from the future")
	}
	thumbprint, err := key.Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(thumbprint), err
}

// proved checks the proof of a token request, and answers where it will not do.
func (s *Server) proved(w http.ResponseWriter, r *http.Request) (key string, ok bool) {
	if !s.options.ProofRequired {
		return "", true
	}
	s.mu.Lock()
	nonce := s.nonces.token
	s.mu.Unlock()
	key, err := s.proof(r, "", nonce)
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	if err != nil {
		s.count(func(c *Counters) { c.NonceDemanded += demanded(err) })
		oauthError(w, http.StatusBadRequest, refusal(err), err.Error())
		return "", false
	}
	if g := s.refreshed(r); g != nil && g.key != key {
		oauthError(w, http.StatusBadRequest, "invalid_grant", "the refresh token is bound to another key")
		return "", false
	}
	return key, true
}

func (s *Server) refreshed(r *http.Request) *grant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants.refresh[r.PostFormValue("refresh_token")]
}

// bind binds the token of an answer, and the grant that it belongs to, to a key.
func (s *Server) bind(a *answer, key string) {
	if key == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a.TokenType = "DPoP"
	s.grants.access[a.AccessToken].grant.key = key
}

// possessed checks the proof that comes with a bound token, and challenges where it
// will not do (RFC 9449 section 7).
func (s *Server) possessed(w http.ResponseWriter, r *http.Request, token string, a *access, metadata string) bool {
	s.mu.Lock()
	nonce := s.nonces.resource
	s.mu.Unlock()
	key, err := s.proof(r, token, nonce)
	if err == nil && a.grant.key != key {
		err = errors.New("the token is bound to another key")
	}
	if nonce != "" {
		w.Header().Set("DPoP-Nonce", nonce)
	}
	if err == nil {
		return true
	}
	s.count(func(c *Counters) { c.NonceDemanded += demanded(err); c.Unauthorized++ })
	w.Header().Set("WWW-Authenticate", `DPoP error="`+refusal(err)+`", algs="ES256", `+metadata)
	http.Error(w, err.Error(), http.StatusUnauthorized)
	return false
}

func refusal(err error) string {
	if errors.Is(err, errNonce) {
		return "use_dpop_nonce"
	}
	return "invalid_dpop_proof"
}

func demanded(err error) int {
	if errors.Is(err, errNonce) {
		return 1
	}
	return 0
}

// scheme is that of the Authorization header that tokens come in.
func (s *Server) scheme() string {
	if s.options.ProofRequired {
		return "DPoP"
	}
	return "Bearer"
}

func (s *Server) tokenOf(r *http.Request) (string, bool) {
	return strings.CutPrefix(r.Header.Get("Authorization"), s.scheme()+" ")
}
