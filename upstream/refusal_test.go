package upstream_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// listening is an MCP server that refuses everything in one way and notes what it
// was sent.
type listening struct {
	*httptest.Server
	mu      sync.Mutex
	headers []http.Header
}

func refusing(t *testing.T, refuse http.HandlerFunc) *listening {
	s := &listening{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.headers = append(s.headers, r.Header)
		s.mu.Unlock()
		refuse(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// sent returns all values of a header, and whether there was any request.
func (s *listening) sent(header string) (values []string, asked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.headers {
		values = append(values, h.Values(header)...)
	}
	return values, len(s.headers) > 0
}

// A 401 of a server that has nothing to do with OAuth asks no user to log in in
// vain, and the first request carries nothing.
func TestServerThatIsNotOAuth(t *testing.T) {
	t.Parallel()
	other := refusing(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/mcp" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	r := newRig(t, oauthserver.Options{}, func(c *upstream.Config) { c.URL = other.URL + "/mcp" })
	r.awaitCredential(states.LoginRequired)
	var failed *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) || failed.Reason != states.NotOAuth ||
		!strings.Contains(err.Error(), "headers.Authorization") {
		t.Errorf("login = %v", err)
	}
	if values, asked := other.sent("Authorization"); len(values) != 0 || !asked || r.opened.Load() != 0 {
		t.Errorf("sent %q, and a browser was opened %d times", values, r.opened.Load())
	}
}

// A credential of the configuration that is refused is the configuration's error.
func TestStaticCredentialThatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) {
		c.Headers = map[string]credential.Secret{"Authorization": credential.NewSecret("Bearer wrong")}
	})
	r.awaitCredential(states.Failed)
	if reason := r.up.Snapshot().Data.Reason; reason != states.StaticRefused {
		t.Errorf("the reason is %q", reason)
	}
	r.wantCounts(want{})
}

// What the protocol sends is not replaced by what the configuration adds, as in copied
// examples that name Accept (fault I3).
func TestConfiguredHeadersReplaceNoneOfTheProtocol(t *testing.T) {
	t.Parallel()
	other := refusing(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	r := newRig(t, oauthserver.Options{}, func(c *upstream.Config) {
		c.URL = other.URL + "/mcp"
		c.Headers = map[string]credential.Secret{
			"accept":       credential.NewSecret("text/html"),
			"Content-Type": credential.NewSecret("text/plain"),
			"X-Mine":       credential.NewSecret("mine"),
		}
	})
	r.awaitCredential(states.LoginRequired)
	for header, want := range map[string]string{"Accept": "application/json, text/event-stream", "Content-Type": "application/json",
		"X-Mine": "mine"} {
		if values, _ := other.sent(header); len(values) == 0 || values[0] != want {
			t.Errorf("%s: %q, want %q", header, values, want)
		}
	}
}

// A token is sent to the server that it is for: not to another that the
// configuration names now, and to none that a redirect names.
func TestTokenStaysWithItsServer(t *testing.T) {
	t.Parallel()
	other := refusing(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.stopped()
	r.config.URL = other.URL + "/mcp"
	r.start()
	r.awaitCredential(states.LoginRequired)
	if values, asked := other.sent("Authorization"); len(values) != 0 || !asked {
		t.Errorf("the other server was sent %q", values)
	}
	r.stopped()

	target := refusing(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		moved := refusing(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL+r.URL.Path, status) })
		r.config.URL = moved.URL + "/mcp"
		r.config.Headers = map[string]credential.Secret{"Authorization": credential.NewSecret("Bearer configured")}
		r.start()
		r.await("the redirect to be refused", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Failed })
		if values, _ := moved.sent("Authorization"); len(values) == 0 || values[0] != "Bearer configured" {
			t.Errorf("the configured server was sent %q", values)
		}
		if !strings.Contains(r.up.Snapshot().Data.ConnectionError.Text, "redirect") {
			t.Errorf("the error is %q", r.up.Snapshot().Data.ConnectionError.Text)
		}
		r.stopped()
	}
	if _, asked := target.sent("Authorization"); asked {
		t.Error("the redirect was followed")
	}
}

// What a server refuses for other reasons than the token leaves the token alone.
func TestRefusalsThatAreNotAboutTheToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	for _, status := range []int{http.StatusForbidden, http.StatusBadRequest, http.StatusTooManyRequests, http.StatusInternalServerError} {
		r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "status", Status: status, Method: "tools/call"})
		if err := r.call(); err == nil {
			t.Errorf("a call that was answered with %d succeeded", status)
		}
	}
	r.setFaults()
	r.mustCall()
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// Without a refresh token the end of the access token asks for a user, and for
// nothing else.
func TestExpiryWithoutARefreshToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, NoRefreshTokens: true, AccessTokenTTL: 2e9}, nil)
	r.login()
	r.mustCall()
	r.awaitCredential(states.LoginRequired)
	if reason := r.up.Snapshot().Data.Reason; reason != states.TokenExpired {
		t.Errorf("the reason is %q", reason)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A server that will never take a refresh token is asked once.
func TestRefreshThatIsNotOffered(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.loginExpired()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "refuse", Error: "unsupported_grant_type", Grant: "refresh_token"})
	r.start()
	r.awaitCredential(states.LoginRequired)
	r.wantCounts(want{Refresh: 1})
}

// A scope that is refused on refresh is left out, with the same refresh token.
func TestRefusedScopeIsLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.OAuth.SendScopeOnRefresh = true })
	r.loginExpired()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "refuse", Error: "invalid_scope", Grant: "refresh_token", Count: 1})
	r.start()
	r.mustCall()
	r.wantCounts(want{Refresh: 2})
}
