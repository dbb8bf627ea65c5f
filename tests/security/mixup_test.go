package security

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// party is an upstream with its authorization server, and the login that is open there.
type party struct {
	server *oauthserver.Server
	up     *upstream.Upstream
	page   url.Values // what the authorization page is asked for
	ended  <-chan error
}

// Two logins are open at one listener, each at an authorization server of its own, and
// the responses are mixed up (RFC 9700 section 4.4). The issuer in the response gives it
// away (RFC 9207): no code is sent to a server that did not issue it, the login whose
// response it pretends to be ends and says why, and the other one is completed.
func TestResponsesAreNotMixedUp(t *testing.T) {
	for _, test := range []struct {
		name string
		// state is whose state the response carries, code whose server made it.
		state, code int
	}{
		{"the honest server's code for the other's login", 1, 0},
		{"the other server's code for the honest login", 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t)
			other, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true, Clients: map[string]string{"known": clientSecret}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close() })
			parties := r.logInAtBoth(other)

			// The authorization server that makes the code is asked for it as its own page
			// asks, but for the other login's state and challenge: that is what an
			// attacker's page sends the browser on with.
			made, wanted := parties[test.code], parties[test.state]
			asked := url.Values{"resource": {made.server.MCPURL()}, "client_id": made.page["client_id"], "redirect_uri": made.page["redirect_uri"],
				"response_type": {"code"},
				"state":         wanted.page["state"], "code_challenge": wanted.page["code_challenge"], "code_challenge_method": {"S256"}}
			if status := r.visit(made.server.URL() + "/authorize?" + asked.Encode()); status < 400 {
				t.Errorf("the page of the outcome has the status %d", status)
			}
			var failed *upstream.LoginError
			if err := <-wanted.ended; !errors.As(err, &failed) || failed.Reason != states.LoginFailed {
				t.Errorf("the login that was lied to ended with %v", err)
			}
			for i, p := range parties {
				if c := p.server.Counters(); c.TokenCode != 0 {
					t.Errorf("server %d was sent %d codes", i, c.TokenCode)
				}
			}
			if status := r.visit(made.server.URL() + "/authorize?" + made.page.Encode()); status != http.StatusOK {
				t.Errorf("the login that was left alone: %d", status)
			}
			if err := <-made.ended; err != nil {
				t.Errorf("the login that was left alone ended with %v", err)
			}
			if token := made.up.Snapshot().Data.Token; token == nil || token.Issuer != made.server.URL() {
				t.Errorf("its token is %+v", status.OfToken(token))
			}
			if c := wanted.server.Counters(); c.TokenCode != 0 || wanted.up.Snapshot().Data.Token != nil {
				t.Errorf("the other server was sent %d codes", c.TokenCode)
			}
		})
	}
}

// logInAtBoth opens a login at the upstream "u" and at a second one.
func (r *running) logInAtBoth(other *oauthserver.Server) [2]party {
	r.Helper()
	configs := []upstream.Config{}
	for name, server := range map[string]*oauthserver.Server{"u": r.server, "v": other} {
		configs = append(configs, upstream.Config{Name: name, Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings(),
			OAuth: upstream.OAuth{ClientID: "known", ClientSecret: credential.NewSecret(clientSecret)}})
	}
	if err := r.instance.Manager.Apply(r.Context(), configs, false); err != nil {
		r.Fatal(err)
	}
	parties := [2]party{{server: r.server}, {server: other}}
	for i, name := range []string{"u", "v"} {
		up, err := r.instance.Manager.Get(name)
		if err != nil {
			r.Fatal(err)
		}
		ended, shown := make(chan error, 1), make(chan string, 8)
		go func() {
			ended <- up.LoginElsewhere(context.WithoutCancel(r.Context()), func(p upstream.Progress) { shown <- p.URL })
		}()
		page, err := url.Parse(<-shown)
		if err != nil {
			r.Fatal(err)
		}
		parties[i].up, parties[i].page, parties[i].ended = up, page.Query(), ended
	}
	return parties
}

// visit follows redirects as a browser does.
func (r *running) visit(address string) int {
	r.Helper()
	response, err := http.Get(address)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
