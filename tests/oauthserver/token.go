package oauthserver

import (
	"net/http"
	"time"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request, f *Fault) {
	refreshing := r.PostFormValue("grant_type") == "refresh_token"
	s.count(func(c *Counters) {
		if refreshing {
			c.TokenRefresh++
		} else {
			c.TokenCode++
		}
	})
	c := s.authenticate(r)
	if c == nil || f.is("invalid-client") {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "the client is not known here")
		return
	}
	var a answer
	var refused string
	switch {
	case f.is("invalid-grant"):
		refused = "it was refused on purpose"
	case refreshing:
		a, refused = s.redeemRefresh(c, r, s.ttl(f))
	case r.PostFormValue("grant_type") == "authorization_code":
		a, refused = s.redeemCode(c, r, s.ttl(f))
	default:
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "")
		return
	}
	if refused != "" {
		oauthError(w, http.StatusBadRequest, "invalid_grant", refused)
		return
	}
	switch {
	case f.is("cut-after"):
		cut(w)
		return
	case f.is("hold-after"):
		// The tokens exist, and the client is left without an answer.
		<-r.Context().Done()
		return
	case f.is("no-expiry"):
		a.ExpiresIn = nil
	case f.is("no-refresh-token"):
		a.RefreshToken = ""
	}
	writeJSON(w, http.StatusOK, a)
}

func (s *Server) ttl(f *Fault) time.Duration {
	if f != nil && f.TTL > 0 {
		return time.Duration(f.TTL) * time.Second
	}
	return s.options.AccessTokenTTL
}

func (s *Server) redeemCode(c *client, r *http.Request, ttl time.Duration) (answer, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := r.PostFormValue("code")
	req := s.grants.codes[code]
	delete(s.grants.codes, code)
	switch {
	case req == nil:
		return answer{}, "the code is unknown or was used already"
	case req.client != c.id || req.redirect != r.PostFormValue("redirect_uri"):
		return answer{}, "the code was issued to another client or redirect address"
	case !verifies(req.challenge, r.PostFormValue("code_verifier")):
		return answer{}, "the code verifier does not fit"
	case r.PostFormValue("resource") != req.resource:
		return answer{}, "the resource is not the one that was authorized"
	}
	return s.issue(&grant{client: c.id, resource: req.resource, scope: req.scope}, ttl), ""
}

// redeemRefresh rotates; the use of an old refresh token revokes the grant.
func (s *Server) redeemRefresh(c *client, r *http.Request, ttl time.Duration) (answer, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := r.PostFormValue("refresh_token")
	g := s.grants.refresh[token]
	switch {
	case g == nil || g.client != c.id:
		return answer{}, "the refresh token is unknown"
	case g.revoked:
		return answer{}, "the grant was revoked"
	case g.refresh != token:
		s.counters.RefreshReused++
		g.revoked = true
		return answer{}, "the refresh token was used before; the grant is revoked"
	case r.PostFormValue("resource") != "" && r.PostFormValue("resource") != g.resource:
		return answer{}, "the resource is not the one that was authorized"
	}
	return s.issue(g, ttl), ""
}
