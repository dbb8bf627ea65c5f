package oauthserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Quirks are ways of real authorization servers that the specifications do not have, for
// which clients need a key in their configuration. The zero value has none.
type Quirks struct {
	// SilentPKCE leaves code_challenge_methods_supported out of the metadata (Microsoft
	// Entra ID, Amazon Cognito).
	SilentPKCE bool
	// Issuer is what the metadata and the responses name, where it is not the server's
	// address (Atlassian).
	Issuer string
	// Redirect is the only redirect address that is taken, whatever its port.
	Redirect string
	// Resource is the only resource indicator that is taken.
	Resource string
	// Audience is what token requests have to name (Auth0).
	Audience string
	// NoRevocation has no revocation endpoint; RevocationStatus is what it answers with,
	// if that is not 200. RevokesRefreshOnly knows no access tokens there, and RevokesAlone
	// ends the one token that is shown and not its grant.
	NoRevocation       bool
	RevocationStatus   int
	RevokesRefreshOnly bool
	RevokesAlone       bool
	// ListsOffline lists the scope offline_access and gives it to nobody.
	ListsOffline bool
}

func (s *Server) issuer() string {
	if s.options.Quirks.Issuer != "" {
		return s.options.Quirks.Issuer
	}
	return s.url
}

// resource is what a client has to name the MCP server by.
func (s *Server) resource() string {
	if s.options.Quirks.Resource != "" {
		return s.options.Quirks.Resource
	}
	return s.MCPURL()
}

// redirects reports whether the browser may be sent to an address.
func (q *Quirks) redirects(address string) bool {
	want, err := url.Parse(q.Redirect)
	got, bad := url.Parse(address)
	return q.Redirect == "" || err == nil && bad == nil && want.Hostname() == got.Hostname() && want.Path == got.Path
}

// grants reports whether a scope is given to anybody.
func (q *Quirks) grants(scope string) bool {
	return !q.ListsOffline || !slices.Contains(strings.Fields(scope), "offline_access")
}

// AccessWorks reports whether the MCP endpoint would take an access token now.
func (s *Server) AccessWorks(token string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.grants.access[token]
	return a != nil && !a.grant.revoked && s.options.Clock().Before(a.expires)
}

// demandsAudience answers a token request that does not name the audience.
func (s *Server) demandsAudience(w http.ResponseWriter, r *http.Request) bool {
	if want := s.options.Quirks.Audience; want == "" || r.PostFormValue("audience") == want {
		return false
	}
	oauthError(w, http.StatusForbidden, "access_denied", "No audience parameter was provided, and no default audience has been configured")
	return true
}
