package security

import (
	"net/http"
	"strings"
	"testing"

	"mcpproxy/upstream"
)

// A client's credential is for the proxy, and the upstream's for the upstream: neither
// reaches the other side (MCP 2025-11-25 authorization, access token privilege
// restriction).
func TestTokensDoNotCross(t *testing.T) {
	r := start(t)
	r.login(nil)
	response, body := r.call()
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "hi") {
		t.Fatalf("the call answers %s %s", response.Status, body)
	}
	token := r.up.Snapshot().Data.Token
	for name, values := range response.Header {
		if body += name + strings.Join(values, " "); strings.Contains(body, token.Access.Reveal()) || strings.Contains(body, headerSecret) {
			t.Errorf("the client is shown an upstream's secret in %s", name)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	own := 0
	for _, header := range r.seen {
		for name, values := range header {
			if all := strings.Join(values, " "); strings.Contains(all, clientToken) {
				t.Errorf("the upstream is sent the client's token in %s", name)
			} else if strings.Contains(all, token.Access.Reveal()) {
				own++
			}
		}
	}
	if own == 0 {
		t.Error("the upstream was not even sent its own token, so that nothing was shown")
	}
}

// The proxy is no authorization server for its clients, and none of theirs can
// register at it (MCP security best practices, confused deputy).
func TestNoAuthorizationServerIsOffered(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/authorize", "/token", "/register", "/revoke", "/device_authorization",
		"/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if response, _ := r.ask(method, r.clients.URL+path, ""); response.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s answers %s", method, path, response.Status)
			}
		}
	}
}

// An upstream's 401 is the proxy's to answer. Passed on, it would have the client log
// in to the upstream, for a token that is not the proxy's.
func TestAnUpstreamsChallengeIsNotPassedOn(t *testing.T) {
	r := start(t)
	response, body := r.call()
	if response.StatusCode != http.StatusOK || response.Header.Get("WWW-Authenticate") != "" || !strings.Contains(body, `"error"`) || !strings.Contains(body, "auth login u") {
		t.Errorf("a call that needs a login answers %s %v %s", response.Status, response.Header, body)
	}
	if strings.Contains(body, "resource_metadata") || strings.Contains(body, r.server.URL()) {
		t.Errorf("the answer leads the client to the upstream: %s", body)
	}
}

// login logs in as a user whose browser is elsewhere; seen is told of the page.
func (r *running) login(seen func(page string)) {
	r.Helper()
	visited := false
	err := r.up.LoginElsewhere(r.Context(), func(p upstream.Progress) {
		if visited || p.URL == "" {
			return
		}
		visited = true
		if seen != nil {
			seen(p.URL)
		}
		response, err := http.Get(p.URL)
		if err != nil {
			r.Error(err)
			return
		}
		_ = response.Body.Close()
	})
	if err != nil {
		r.Fatal(err)
	}
}
