package upstream_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// A server that takes pushed requests only gets them pushed, from clients with and without
// a secret; the browser carries the reference and nothing else (fault E9).
func TestPushedAuthorizationRequest(t *testing.T) {
	t.Parallel()
	for name, confidential := range map[string]bool{"public": false, "confidential": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, PushRequired: true, ConfidentialOnly: confidential}, nil)
			page, outcome := r.openLogin()
			u, err := url.Parse(page)
			if q := u.Query(); err != nil || len(q) != 2 || !strings.HasPrefix(q.Get("request_uri"), "urn:") || q.Get("client_id") == "" {
				t.Errorf("the page is %s", page)
			}
			if status, text := r.visit(page); status != http.StatusOK {
				t.Errorf("the browser sees %d: %s", status, text)
			}
			if err := <-outcome; err != nil {
				t.Fatal(err)
			}
			r.mustCall()
			if c := r.server.Counters(); c.Pushed != 1 || c.Authorize != 1 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

// A server that offers it and does not demand it is asked as before.
func TestRequestsAreNotPushedUnasked(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	if c := r.server.Counters(); c.Pushed != 0 {
		t.Errorf("counted %+v", c)
	}
}

// A reference is good for a minute and a login for five: the address that is shown is
// always one that can be opened, also after a restart (fault E9).
func TestPushedRequestIsRenewed(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, PushRequired: true, PushTTL: 7 * time.Second}, nil)
	done, shown := make(chan error, 1), make(chan string, 8)
	go func() {
		done <- r.up.LoginElsewhere(r.context(), func(p upstream.Progress) { shown <- p.URL })
	}()
	first := <-shown
	second := first
	for second == first { // five seconds before its end
		second = <-shown
	}
	r.restart()
	<-done
	r.await("the offer", func(s *transitions.Snapshot) bool { return s.Data.Shown.How != states.NotShown })
	r.await("another address", func(s *transitions.Snapshot) bool {
		return s.Data.Flow != nil && time.Until(s.Data.Flow.PushedUntil) > time.Second
	})
	if status, text := r.visit(r.up.Snapshot().Data.Flow.AuthorizationURL.Reveal()); status != http.StatusOK {
		t.Errorf("the browser sees %d: %s", status, text)
	}
	r.awaitCredential(states.Fresh)
	r.mustCall()
}

// What the server says to a pushed request ends the login with its words before any page
// opens; a client that it has forgotten is registered again by the next (faults E2 and E9).
func TestPushedRequestThatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, PushRequired: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "par", Kind: "refuse", Error: "invalid_target", Count: 1})
	if err := r.up.Login(r.context(), nil); err == nil || !strings.Contains(err.Error(), "oauth.resource") || r.opened.Load() != 0 {
		t.Errorf("login = %v after %d pages", err, r.opened.Load())
	}
	r.login()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	r.server.ForgetClients()
	r.server.Reset()
	if err := r.up.Login(r.context(), nil); err == nil || !strings.Contains(err.Error(), states.ClientForgotten.Doc()) {
		t.Errorf("login = %v", err)
	}
	r.login()
	r.mustCall()
	if c := r.server.Counters(); c.Register != 1 || c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}
