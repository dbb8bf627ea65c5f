package upstream_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

func TestLogoutIsFinal(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	if c := r.server.Counters(); c.Revoke != 2 { // the refresh token and the access token
		t.Errorf("counted %+v", c)
	}
	r.wantNote("revoked at the authorization server")
	r.restart()
	r.server.Reset()
	if err := r.call(); err == nil {
		t.Error("a call after the logout succeeded")
	}
	r.awaitCredential(states.LoggedOut)
	if c := r.server.Counters(); len(c.MCP) != 0 {
		t.Errorf("after the logout something was sent: %+v", c)
	}
	r.wantCounts(want{})
	r.login()
	r.mustCall()
}

// A logout is done whether or not the authorization server confirms it; the journal
// says what became of the revocation (RFC 7009 section 2.2.1).
func TestLogoutWithoutAConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.setFaults(oauthserver.Fault{Endpoint: "revoke", Kind: "status", Status: http.StatusServiceUnavailable})
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	r.wantNote("the authorization server did not confirm the revocation")
	r.restart()
	if err := r.call(); err == nil {
		t.Error("a call after the logout succeeded")
	}
	r.awaitCredential(states.LoggedOut)
}

// A refresh that is in flight is finished, and what it brings is erased and
// revoked with the rest.
func TestLogoutDuringARefreshIsFinal(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "delay", Delay: 400})
	r.server.RevokeAccess()
	answered := make(chan error, 1)
	go func() { answered <- r.call() }()
	r.awaitCredential(states.Refreshing)
	if out, err := r.up.LogoutOutcome(r.context()); err != nil || out.Disposition != fsm.Postponed || out.Reason != "" {
		t.Fatalf("the logout is %+v, %v", out, err) // with a reason, something were still good
	}
	<-answered // served before the logout or refused by it
	if s := r.up.Snapshot(); s.Region(states.Credential).State != states.LoggedOut || s.Data.Token != nil {
		t.Errorf("after the logout: %s with the token %v", s.Region(states.Credential).State, s.Data.Token)
	}
	if c := r.server.Counters(); c.Revoke != 2 {
		t.Errorf("counted %+v", c)
	}
	r.restart()
	r.awaitCredential(states.LoggedOut)
	if err := r.call(); err == nil {
		t.Error("a call after the logout succeeded")
	}
	r.wantCounts(want{Refresh: 1})
}

func TestLogoutEndsAnOpenLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	page, outcome := r.openLogin()
	back := r.redirected(page)
	defer r.keepListening(back)()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	var ended *upstream.LoginError
	if err := <-outcome; !errors.As(err, &ended) {
		t.Errorf("the open login ended with %v", err)
	}
	if status, text := r.visit(back); status != http.StatusConflict {
		t.Errorf("the browser sees %d: %s", status, text)
	}
	r.awaitCredential(states.LoggedOut)
	r.wantCounts(want{Authorize: 1, Register: 1})
}

func TestLogoutTouchesNoOtherUpstream(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	other := r.config
	other.Name = "v"
	r.others = []upstream.Config{other}
	if err := r.manager.Apply(r.context(), []upstream.Config{r.config, other}, true); err != nil {
		t.Fatal(err)
	}
	call := func() error {
		v, err := r.manager.Get("v")
		if err != nil {
			return err
		}
		_, err = v.Call(r.context(), echo)
		return err
	}
	v, err := r.manager.Get("v")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.Login(r.context(), nil), call()); err != nil {
		t.Fatal(err)
	}
	r.server.Reset()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil {
		t.Error(err)
	}
	r.restart()
	if err := call(); err != nil {
		t.Error(err)
	}
	r.wantCounts(want{})
}

// A logout ends the connection and its session; after the next login there are new ones,
// and the lists are read again.
func TestALogoutEndsTheConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	r.await("the end of the connection", func(s *transitions.Snapshot) bool {
		return s.Region(states.Connection).State == states.AwaitingLogin
	})
	r.login()
	r.mustCall()
	r.stopped() // each session has ended by now
	if c := r.server.Counters(); c.MCP["DELETE"] != 2 || c.MCP["initialize"] != 1 || c.MCP["tools/list"] != 1 {
		t.Errorf("counted %+v", c.MCP)
	}
}

// What may be good at the authorization server after a logout is said, by the logout, the
// state and the journal, and after a restart (fault E8). Any success is one.
func TestLogoutSaysWhatIsStillAlive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		quirks oauthserver.Quirks
		fault  *oauthserver.Fault
		alive  []string // none: all is over
	}{
		"revoked":                         {},
		"answered 204":                    {quirks: oauthserver.Quirks{RevocationStatus: http.StatusNoContent}},
		"no revocation endpoint":          {quirks: oauthserver.Quirks{NoRevocation: true}, alive: []string{"the refresh token and the access token (until ", " stays good"}},
		"refused":                         {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "refuse", Error: "invalid_request"}, alive: []string{"the refresh token and the access token (until ", " may stay good"}},
		"a page":                          {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "html"}, alive: []string{"the refresh token and the access token"}},
		"the first is refused":            {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "refuse", Error: "invalid_request", Count: 1}, alive: []string{"the refresh token may stay good"}},
		"access tokens are not revoked":   {quirks: oauthserver.Quirks{RevokesRefreshOnly: true}},
		"gone":                            {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "status", Status: http.StatusNotFound}, alive: []string{"the refresh token and the access token"}},
		"not there for now":               {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "status", Status: http.StatusServiceUnavailable}, alive: []string{"the refresh token and the access token"}},
		"the connection breaks, it seems": {fault: &oauthserver.Fault{Endpoint: "revoke", Kind: "cut-before"}, alive: []string{"the refresh token and the access token"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, Quirks: test.quirks}, nil)
			r.login()
			if test.fault != nil {
				r.setFaults(*test.fault)
			}
			out, err := r.up.LogoutOutcome(r.context())
			if err != nil {
				t.Fatal(err)
			}
			status := r.up.Status()
			said := ""
			if status.CredentialError != nil {
				said = status.CredentialError.Text
			}
			if out.Reason != said || (said != "") != (test.alive != nil) {
				t.Errorf("the logout says %q, and the status %q", out.Reason, said)
			}
			for _, words := range test.alive {
				if !strings.Contains(said, words) {
					t.Errorf("%q does not say %q", said, words)
				}
			}
			r.restart()
			if err := r.call(); err == nil {
				t.Error("a call after the logout succeeded")
			}
			r.awaitCredential(states.LoggedOut)
			if again := r.up.Snapshot().Data.CredentialError.Text; again != said {
				t.Errorf("after a restart it says %q, and before it %q", again, said)
			}
		})
	}
}

// The access token ends with the logout where the server keeps it beyond its refresh token
// (fault E8).
func TestLogoutRevokesTheAccessTokenToo(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Quirks: oauthserver.Quirks{RevokesAlone: true}}, nil)
	r.login()
	access := r.up.Snapshot().Data.Token.Access.Reveal()
	if !r.server.AccessWorks(access) {
		t.Fatal("the access token does not work")
	}
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	if r.server.AccessWorks(access) {
		t.Error("the access token works after the logout")
	}
}

// A server that does not know the client at the logout gets another one at the next login
// (fault E2).
func TestLogoutOfAForgottenClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.server.ForgetClients()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	r.login()
	r.mustCall()
	r.wantCounts(want{Authorize: 2, Code: 2, Register: 2})
}
