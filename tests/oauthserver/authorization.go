package oauthserver

import (
	"crypto/rand"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func (s *Server) resourceMetadata(w http.ResponseWriter, _ *http.Request, _ *Fault) {
	s.publish(w, map[string]any{"resource": s.MCPURL(), "authorization_servers": []string{s.url}, "scopes_supported": []string{"mcp"},
		"dpop_bound_access_tokens_required": s.options.ProofRequired})
}

func (s *Server) serverMetadata(w http.ResponseWriter, _ *http.Request, f *Fault) {
	issuer := s.issuer()
	if f.is("wrong-issuer") {
		issuer = "https://attacker.example"
	}
	m := map[string]any{"issuer": issuer, "authorization_endpoint": s.url + "/authorize", "token_endpoint": s.tokenURL(),
		"revocation_endpoint":              s.url + "/revoke",
		"code_challenge_methods_supported": []string{"S256"}, "response_types_supported": []string{"code"},
		"grant_types_supported": []string{"authorization_code", "refresh_token", "client_credentials", deviceGrant,
			bearerGrant},
		"token_endpoint_auth_methods_supported":          []string{"none", "client_secret_post", "client_secret_basic"},
		"authorization_response_iss_parameter_supported": true,
		"client_id_metadata_document_supported":          true, "device_authorization_endpoint": s.url + "/device_authorization"}
	if s.options.SignedOnly != "" {
		m["token_endpoint_auth_methods_supported"], m["token_endpoint_auth_signing_alg_values_supported"] = []string{signedMethod},
			[]string{s.options.SignedOnly}
	}
	if s.options.PushRequired {
		m["require_pushed_authorization_requests"], m["pushed_authorization_request_endpoint"] = true, s.url+"/par"
	}
	if s.options.Quirks.NoRevocation {
		delete(m, "revocation_endpoint")
	}
	if s.options.Quirks.SilentPKCE {
		delete(m, "code_challenge_methods_supported")
	}
	if s.options.Quirks.ListsOffline {
		m["scopes_supported"] = []string{"mcp", "offline_access"}
	}
	if !s.options.NoRegistration {
		m["registration_endpoint"] = s.url + "/register"
	}
	s.publish(w, m)
}

// register is dynamic client registration (RFC 7591).
func (s *Server) register(w http.ResponseWriter, r *http.Request, _ *Fault) {
	metadata := struct {
		RedirectURIs []string `json:"redirect_uris"`
		AuthMethod   string   `json:"token_endpoint_auth_method"`
		Algorithm    string   `json:"token_endpoint_auth_signing_alg"`
		Keys         *keySet  `json:"jwks"`
		GrantTypes   []string `json:"grant_types"`
		Scope        string   `json:"scope"`
	}{AuthMethod: "client_secret_basic", GrantTypes: []string{"authorization_code"}}
	refuse := func(why string) { oauthError(w, http.StatusBadRequest, "invalid_client_metadata", why) }
	switch err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&metadata); {
	case err != nil || len(metadata.RedirectURIs) == 0:
		refuse("redirect_uris are needed")
		return
	case !s.options.Quirks.redirects(metadata.RedirectURIs[0]):
		oauthError(w, http.StatusBadRequest, "invalid_redirect_uri", "the address is not one of ours")
		return
	case s.options.ConfidentialOnly && metadata.AuthMethod == "none":
		refuse("public clients are not registered here")
		return
	case s.options.SignedOnly != "" && (metadata.AuthMethod != signedMethod || metadata.Algorithm != s.options.SignedOnly ||
		!metadata.Keys.public()):
		refuse("clients show themselves by assertions here that they sign with " + s.options.SignedOnly)
		return
	case s.options.RefuseScope != "" && slices.Contains(strings.Fields(metadata.Scope), s.options.RefuseScope):
		refuse("the scope " + s.options.RefuseScope + " is not known here")
		return
	}
	c := &client{id: "client-" + rand.Text(), redirects: metadata.RedirectURIs, grants: metadata.GrantTypes}
	answer := map[string]any{"client_id": c.id, "redirect_uris": c.redirects, "token_endpoint_auth_method": "none", "grant_types": c.grants}
	if metadata.AuthMethod == signedMethod {
		c.keys, answer["token_endpoint_auth_method"] = metadata.Keys, signedMethod
	} else if metadata.AuthMethod != "none" {
		c.secret = "secret-" + rand.Text()
		answer["client_secret"], answer["client_secret_expires_at"], answer["token_endpoint_auth_method"] = c.secret, 0, metadata.AuthMethod
	}
	if s.options.ScopeBound {
		c.scopes = append([]string{}, strings.Fields(metadata.Scope)...)
		answer["scope"] = metadata.Scope
	}
	s.mu.Lock()
	s.grants.clients[c.id] = c
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, answer)
}

// authorize checks a request (RFC 6749 section 4.1.1) and asks for consent.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, f *Fault) {
	q, refused := s.brought(r.URL.Query())
	if refused != "" {
		http.Error(w, refused, http.StatusBadRequest)
		return
	}
	c := s.find(q.Get("client_id"))
	switch {
	case c == nil:
		http.Error(w, "unknown client_id", http.StatusBadRequest)
		return
	case !c.allows(q.Get("redirect_uri")) || !s.options.Quirks.redirects(q.Get("redirect_uri")):
		http.Error(w, "the redirect_uri is not registered", http.StatusBadRequest)
		return
	}
	req := &request{
		client:    c.id,
		redirect:  q.Get("redirect_uri"),
		state:     q.Get("state"),
		challenge: q.Get("code_challenge"),
		resource:  q.Get("resource"),
		scope:     q.Get("scope"),
	}
	switch {
	case q.Get("response_type") != "code":
		s.redirect(w, r, req, url.Values{"error": {"unsupported_response_type"}}, f)
	case req.challenge == "" || q.Get("code_challenge_method") != "S256":
		s.redirect(w, r, req, url.Values{"error": {"invalid_request"}, "error_description": {"PKCE with S256 is mandatory"}}, f)
	case req.resource != s.resource():
		s.redirect(w, r, req, url.Values{"error": {"invalid_target"}}, f)
	case !s.options.Quirks.grants(req.scope):
		s.redirect(w, r, req, url.Values{"error": {"invalid_scope"}}, f)
	case !c.mayAsk(req.scope):
		s.redirect(w, r, req, url.Values{"error": {"invalid_scope"}, "error_description": {"the client is not registered for " + req.scope}}, f)
	case f.is("denied"):
		s.redirect(w, r, req, url.Values{"error": {"access_denied"}}, f)
	case s.options.AutoApprove:
		s.approve(w, r, req, f)
	default:
		s.consent(w, req)
	}
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request, req *request, f *Fault) {
	code := "code-" + rand.Text()
	req.expires = s.options.Clock().Add(time.Minute)
	s.mu.Lock()
	s.counters.Approved++
	s.grants.codes[code] = req
	s.mu.Unlock()
	s.redirect(w, r, req, url.Values{"code": {code}}, f)
}

// redirect sends the browser back with the issuer (RFC 9207).
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, req *request, answer url.Values, f *Fault) {
	answer.Set("iss", s.issuer())
	if f.is("wrong-issuer") {
		answer.Set("iss", "https://attacker.example")
	}
	answer.Set("state", req.state)
	separator := "?"
	if strings.Contains(req.redirect, "?") {
		separator = "&"
	}
	http.Redirect(w, r, req.redirect+separator+answer.Encode(), http.StatusFound)
}

func (s *Server) consent(w http.ResponseWriter, req *request) {
	id := rand.Text()
	s.mu.Lock()
	s.grants.pending[id] = req
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = consentPage.Execute(w, map[string]string{"ID": id, "Client": req.client, "Scope": req.scope}) // the browser went away
}

var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Test login</title></head>
<body><h1>Allow access?</h1><p>{{.Client}} asks for: {{.Scope}}</p>
<form method="post" action="/authorize"><input type="hidden" name="id" value="{{.ID}}">
<button id="approve" name="decision" value="approve">Approve</button>
<button id="deny" name="decision" value="deny">Deny</button></form></body></html>`))

// decide takes the user's answer on the consent page.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	s.mu.Lock()
	req := s.grants.pending[id]
	delete(s.grants.pending, id)
	s.mu.Unlock()
	switch {
	case req == nil:
		http.Error(w, "this consent was given or declined already", http.StatusBadRequest)
	case r.PostFormValue("decision") == "approve":
		s.approve(w, r, req, nil)
	default:
		s.redirect(w, r, req, url.Values{"error": {"access_denied"}}, nil)
	}
}

// authenticate finds the client of a token request.
func (s *Server) authenticate(r *http.Request) *client {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if c := s.find(id); s.options.SignedOnly != "" || c != nil && c.keys != nil {
		return s.authenticateSigned(r)
	}
	if c := s.find(id); c != nil && c.secret == secret {
		return c
	}
	return nil
}

// revoke ends a grant (RFC 7009).
func (s *Server) revoke(w http.ResponseWriter, r *http.Request, _ *Fault) {
	c := s.authenticate(r)
	if c == nil {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "")
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.grants.refresh[token]
	a := s.grants.access[token]
	if g == nil && a != nil {
		g = a.grant
	}
	q := &s.options.Quirks
	switch {
	case a != nil && q.RevokesRefreshOnly:
		oauthError(w, http.StatusBadRequest, "unsupported_token_type", "")
		return
	case g == nil: // RFC 7009 section 2.2: nothing to do
	case g.client != c.id:
		oauthError(w, http.StatusBadRequest, "invalid_grant", "the token was issued to another client")
		return
	case q.RevokesAlone:
		delete(s.grants.access, token)
		delete(s.grants.refresh, token)
	default:
		g.revoked = true
	}
	if q.RevocationStatus != 0 {
		w.WriteHeader(q.RevocationStatus)
	}
}
