package oauthserver

import (
	"crypto/rand"
	"net/http"
	"time"
)

// deviceGrant is the grant type of RFC 8628 section 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// device is one login on another device.
type device struct {
	request  *request
	approved bool
	denied   bool
}

// deviceAuthorization issues a device code (RFC 8628 section 3.1).
func (s *Server) deviceAuthorization(w http.ResponseWriter, r *http.Request, _ *Fault) {
	c := s.authenticate(r)
	if c == nil {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "the client is not known here")
		return
	}
	switch {
	case !c.hasGrant(deviceGrant):
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "the client is not registered for "+deviceGrant)
		return
	case !c.mayAsk(r.PostFormValue("scope")):
		oauthError(w, http.StatusBadRequest, "invalid_scope", "")
		return
	}
	code, user := "dc-"+rand.Text(), rand.Text()[:8]
	s.mu.Lock()
	s.grants.devices[code] = &device{approved: s.options.AutoApprove,
		request: &request{
			client:   c.id,
			resource: r.PostFormValue("resource"),
			scope:    r.PostFormValue("scope"),
			expires:  s.options.Clock().Add(time.Minute),
		}}
	s.grants.userCodes[user] = code
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"device_code": code, "user_code": user, "verification_uri": s.url + "/device",
		"verification_uri_complete": s.url + "/device?user_code=" + user, "expires_in": 60, "interval": 1})
}

// deviceDecision takes the user's answer: a form with user_code and decision.
func (s *Server) deviceDecision(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.grants.devices[s.grants.userCodes[r.PostFormValue("user_code")]]
	if d == nil {
		http.Error(w, "this code is not known, or over", http.StatusBadRequest)
		return
	}
	d.approved, d.denied = r.PostFormValue("decision") == "approve", r.PostFormValue("decision") != "approve"
	s.counters.Approved++
}

// redeemDevice answers a poll with tokens or with why there are none yet.
func (s *Server) redeemDevice(c *client, r *http.Request, ttl time.Duration) (answer, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := r.PostFormValue("device_code")
	d := s.grants.devices[code]
	switch {
	case d == nil || d.request.client != c.id:
		return answer{}, "invalid_grant"
	case s.options.Clock().After(d.request.expires):
		return answer{}, "expired_token"
	case d.denied:
		return answer{}, "access_denied"
	case !d.approved:
		return answer{}, "authorization_pending"
	}
	delete(s.grants.devices, code)
	return s.issue(&grant{client: c.id, resource: d.request.resource, scope: d.request.scope}, ttl, false), ""
}
