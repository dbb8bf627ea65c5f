package oauthserver

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"
)

// pushed is an authorization request that the client sent itself (RFC 9126).
type pushed struct {
	client  string
	query   url.Values
	expires time.Time
}

func (s *Server) pushTTL() time.Duration {
	if s.options.PushTTL > 0 {
		return s.options.PushTTL
	}
	return time.Minute
}

// pushRequest takes a request of a client that shows who it is, and gives a reference.
func (s *Server) pushRequest(w http.ResponseWriter, r *http.Request, _ *Fault) {
	c := s.authenticate(r)
	switch {
	case c == nil:
		oauthError(w, http.StatusUnauthorized, "invalid_client", "the client is not known here")
		return
	case r.PostFormValue("request_uri") != "":
		oauthError(w, http.StatusBadRequest, "invalid_request", "request_uri must not be pushed")
		return
	case !c.mayAsk(r.PostFormValue("scope")):
		oauthError(w, http.StatusBadRequest, "invalid_scope", "")
		return
	}
	query := url.Values{}
	for name, values := range r.PostForm {
		query[name] = values
	}
	query.Del("client_secret")
	query.Set("client_id", c.id)
	reference := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	s.mu.Lock()
	s.grants.pushed[reference] = &pushed{client: c.id, query: query, expires: s.options.Clock().Add(s.pushTTL())}
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, map[string]any{"request_uri": reference, "expires_in": int(s.pushTTL() / time.Second)})
}

// brought is the request that a browser brings: its query, or what was pushed, which is
// good once.
func (s *Server) brought(q url.Values) (url.Values, string) {
	reference := q.Get("request_uri")
	if reference == "" && s.options.PushRequired {
		return nil, "the request was not pushed"
	}
	if reference == "" {
		return q, ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.grants.pushed[reference]
	delete(s.grants.pushed, reference)
	if p == nil || p.client != q.Get("client_id") || s.options.Clock().After(p.expires) || len(q) != 2 {
		return nil, "the request_uri is not known, or over"
	}
	return p.query, ""
}
