package oauthserver

import (
	"crypto/rand"
	"net/http"
	"slices"
	"time"
)

const (
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
	bearerGrant   = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionType = "urn:ietf:params:oauth:token-type:id-jag"
)

// exchangeIdentity is the identity provider of an enterprise: it exchanges an ID token
// for a grant at the authorization server, which works once (RFC 8693, ID-JAG).
func (s *Server) exchangeIdentity(w http.ResponseWriter, r *http.Request) {
	if !slices.Contains(s.options.Identities, r.PostFormValue("subject_token")) || r.PostFormValue("audience") != s.url ||
		r.PostFormValue("requested_token_type") != assertionType {
		oauthError(w, http.StatusBadRequest, "invalid_grant", "the identity is not known, or is to be shown to another user")
		return
	}
	assertion := "jag-" + rand.Text()
	s.mu.Lock()
	s.grants.assertions[assertion] = true
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": assertion, "issued_token_type": assertionType, "token_type": "N_A",
		"expires_in": 60})
}

// redeemAssertion gives a token for the grant of an identity provider, or for the JWT of
// a workload, which identifies itself by it (RFC 7523 section 2.1).
func (s *Server) redeemAssertion(r *http.Request, ttl time.Duration) (answer, string) {
	assertion := r.PostFormValue("assertion")
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.grants.assertions[assertion] && !slices.Contains(s.options.Identities, assertion) {
		return answer{}, "the assertion is not known, or was used before"
	}
	delete(s.grants.assertions, assertion)
	return s.issue(&grant{client: r.PostFormValue("client_id"), resource: r.PostFormValue("resource"), scope: r.PostFormValue("scope")}, ttl,
		true), ""
}
