package oauthserver

import (
	"net/http"
	"strings"
	"time"
)

// token is the token endpoint (RFC 6749 section 3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request, f *Fault) {
	if s.tokenURL() != s.url+r.URL.Path {
		http.NotFound(w, r)
		return
	}
	c := s.authenticate(r)
	if workload := r.PostFormValue("grant_type") == bearerGrant && r.PostFormValue("client_id") == ""; c == nil && !workload ||
		f.is("invalid-client") {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "the client is not known here")
		return
	}
	key, ok := s.proved(w, r)
	if !ok || s.demandsAudience(w, r) {
		return
	}
	var a answer
	var refused string
	switch {
	case f.is("invalid-grant"):
		refused = "it was refused on purpose"
	case r.PostFormValue("grant_type") == "refresh_token":
		a, refused = s.redeemRefresh(c, r, s.ttl(f), f.is("no-refresh-token"))
	case r.PostFormValue("grant_type") == exchangeGrant:
		s.exchangeIdentity(w, r)
		return
	case r.PostFormValue("grant_type") == bearerGrant:
		a, refused = s.redeemAssertion(r, s.ttl(f))
	case r.PostFormValue("grant_type") == deviceGrant:
		var code string
		if a, code = s.redeemDevice(c, r, s.ttl(f)); code != "" {
			oauthError(w, http.StatusBadRequest, code, "")
			return
		}
	case r.PostFormValue("grant_type") == "client_credentials" && c.secret != "":
		a = s.grantClient(c, r, s.ttl(f))
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
	s.bind(&a, key)
	switch {
	case f.is("cut-after"):
		cut(w)
		return
	case f.is("taken"):
		s.say(w, f, a)
		return
	case f.is("hold-after"):
		// The tokens exist, and the client is left without an answer.
		<-r.Context().Done()
		return
	case f.is("narrow"):
		s.narrow(&a)
	case f.is("no-expiry"):
		a.ExpiresIn = nil
	case f.is("no-refresh-token"):
		a.RefreshToken = ""
	case f.is("clock-skew"):
		// The server's clock is ahead of everybody's: tokens die earlier than it says.
		*a.ExpiresIn += f.TTL
	}
	writeJSON(w, http.StatusOK, a)
}

// tokenURL is where the token endpoint is.
func (s *Server) tokenURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved {
		return s.url + "/moved/token"
	}
	return s.url + "/token"
}

// MoveToken moves the token endpoint; the metadata names the new one.
func (s *Server) MoveToken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = true
}

// narrow grants the first of the scopes only (RFC 6749 section 3.3).
func (s *Server) narrow(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Scope, _, _ = strings.Cut(a.Scope, " ")
	s.grants.access[a.AccessToken].scope = a.Scope
}

// grantClient gives a confidential client a token of its own, which has no refresh
// token (RFC 6749 section 4.4.3).
func (s *Server) grantClient(c *client, r *http.Request, ttl time.Duration) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issue(&grant{client: c.id, resource: r.PostFormValue("resource"), scope: r.PostFormValue("scope")}, ttl, true)
}

func (s *Server) ttl(f *Fault) time.Duration {
	if f.is("ttl") {
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
		if g := s.grants.used[code]; g != nil {
			g.revoked = true // a code that comes twice was stolen (RFC 6749 section 4.1.2)
		}
		return answer{}, "the code is unknown or was used already"
	case s.options.Clock().After(req.expires):
		return answer{}, "the code has expired"
	case req.client != c.id || req.redirect != r.PostFormValue("redirect_uri"):
		return answer{}, "the code was issued to another client or redirect address"
	case !verifies(req.challenge, r.PostFormValue("code_verifier")):
		return answer{}, "the code verifier does not fit"
	case r.PostFormValue("resource") != req.resource:
		return answer{}, "the resource is not the one that was authorized"
	}
	g := &grant{client: c.id, resource: req.resource, scope: req.scope}
	s.grants.used[code] = g
	return s.issue(g, ttl, false), ""
}

// redeemRefresh rotates; the use of an old refresh token revokes the grant.
func (s *Server) redeemRefresh(c *client, r *http.Request, ttl time.Duration, keep bool) (answer, string) {
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
	return s.issue(g, ttl, keep), ""
}
