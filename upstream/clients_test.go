package upstream_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// withOther runs a second upstream of the same authorization server beside the rig's.
func (r *rig) withOther(change func(*upstream.Config)) *upstream.Upstream {
	r.Helper()
	other := r.config
	other.Name = "v"
	change(&other)
	r.others = []upstream.Config{other}
	if err := r.manager.Apply(r.context(), append([]upstream.Config{r.config}, r.others...), true); err != nil {
		r.Fatal(err)
	}
	v, err := r.manager.Get("v")
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// Two upstreams of one issuer have a client with a secret each; the token of the first is
// refreshed with its own, whatever the second has registered since (fault E1).
func TestEachTokenKeepsItsClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ConfidentialOnly: true, ScopeBound: true}, nil)
	r.login()
	v := r.withOther(func(c *upstream.Config) { c.OAuth.Scopes = []string{"mcp", "mcp:admin"} })
	if err := v.Login(r.context(), nil); err != nil {
		t.Fatal(err)
	}
	first, second := r.up.Status().Token.Client, v.Status().Token.Client
	if first.ID == second.ID || first.Authentication != "client_secret_basic" {
		t.Errorf("the clients are %+v and %+v", first, second)
	}
	r.server.Reset()
	r.restart()
	r.server.RevokeAccess()
	r.mustCall()
	v, err := r.manager.Get("v")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Call(r.context(), echo); err != nil {
		t.Error(err)
	}
	r.wantCounts(want{Refresh: 2})
}

// What a client is registered with is what its logins ask for: the scopes, where the
// server holds it to them (fault E3). One that does not fit is not taken, whatever the
// configuration was when it was registered.
func TestClientIsRegisteredWithItsScopes(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ScopeBound: true}, nil)
	r.login()
	r.mustCall()
	r.login()
	r.wantCounts(want{Authorize: 2, Code: 2, Register: 1})
	r.stopped()
	r.config.OAuth.Scopes = []string{"mcp", "mcp:admin"}
	r.start()
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		t.Error(err)
	}
	r.wantCounts(want{Authorize: 3, Code: 3, Register: 2})
	r.restart()
	r.login()
	r.wantCounts(want{Authorize: 4, Code: 4, Register: 2})
}

// Step-up at a server that holds clients to their scopes registers another (fault E3).
func TestStepUpRegistersTheScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ScopeBound: true}, nil)
	r.login()
	if _, err := r.up.Call(r.context(), admin); err == nil {
		t.Fatal("the call had too little scope and succeeded")
	}
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		t.Fatal(err)
	}
	r.wantCounts(want{Authorize: 2, Code: 2, Register: 2})
}

// A scope that no client may register is left out of the registration, and asked for all
// the same (fault E3).
func TestScopeThatIsNotRegistered(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, RefuseScope: "mcp"}, nil)
	r.login()
	r.mustCall()
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 2})
}

// Public clients are listed and not registered: the client gets a secret (fault E5).
func TestServerThatRegistersNoPublicClients(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ConfidentialOnly: true}, nil)
	r.login()
	r.mustCall()
	r.server.RevokeAccess()
	r.mustCall()
	if method := r.up.Status().Token.Client.Authentication; method != "client_secret_basic" {
		t.Errorf("the client authenticates by %s", method)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Refresh: 1, Register: 2})
}

// A code is entered on another device for a client that registers itself, with and
// without a secret; it shows who it is at each endpoint (fault E4).
func TestDeviceLoginOfADynamicClient(t *testing.T) {
	t.Parallel()
	for name, confidential := range map[string]bool{"public": false, "confidential": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{ConfidentialOnly: confidential, ScopeBound: true},
				func(c *upstream.Config) { c.OAuth.Grant = upstream.DeviceCode })
			page, outcome := r.openLogin()
			r.answer(page, "approve")
			if err := <-outcome; err != nil {
				t.Fatal(err)
			}
			r.mustCall()
			r.server.RevokeAccess()
			r.mustCall()
			if c := r.server.Counters(); c.Device != 1 || c.TokenRefresh != 1 || c.Authorize != 0 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

// A client that was registered for a browser is no client for a device (faults E3 and E4).
func TestBrowsersClientIsNotTheDevices(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.stopped()
	r.config.OAuth.Grant = upstream.DeviceCode
	r.start()
	r.login()
	r.mustCall()
	if c := r.server.Counters(); c.Register != 2 || c.Device != 1 {
		t.Errorf("counted %+v", c)
	}
	r.stopped()
	r.stored(func(s *store.Store) {
		all, err := s.Registrations(r.server.URL())
		if err != nil || len(all) != 2 || !slices.ContainsFunc(all[0].GrantTypes,
			func(grant string) bool { return strings.HasSuffix(grant, "device_code") }) {
			t.Errorf("registered are %+v, %v", all, err)
		}
	})
}

// errorPage opens the page of a login at a server that does not know the client, which
// shows an error and sends the browser nowhere.
func (r *rig) errorPage() (outcome <-chan error) {
	r.Helper()
	page, outcome := r.openLogin()
	if status, text := r.visit(page); status != http.StatusBadRequest || !strings.Contains(text, "unknown client_id") {
		r.Fatalf("the page is %d: %s", status, text)
	}
	return outcome
}

// A server forgets the client while nobody is logged in. Whatever a user does about the
// page that shows an error, the next login registers another client, after a restart too
// (fault E2).
func TestClientThatWasForgottenUnnoticed(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(r *rig, outcome <-chan error){
		"cancel": func(r *rig, outcome <-chan error) {
			if _, err := r.up.CancelLogin(); err != nil {
				r.Fatal(err)
			}
			<-outcome
		},
		"logout": func(r *rig, outcome <-chan error) {
			if err := r.up.Logout(r.context()); err != nil {
				r.Fatal(err)
			}
			<-outcome
		},
		"remove": func(r *rig, outcome <-chan error) {
			if err := r.manager.Apply(r.context(), nil, true); err != nil {
				r.Fatal(err)
			}
			<-outcome
		},
		"a second login, and the end of its time": func(r *rig, outcome <-chan error) {
			<-time.NewTimer(3100 * time.Millisecond).C // asked again within three seconds, one tab is meant
			r.awaitDoubt(func() { _, _ = r.up.RequestLogin(r.context()) })
			r.stopped()
			<-outcome
			r.stored(func(s *store.Store) { // the time of the open login
				kept, err := s.Load("u")
				if err != nil || kept.Flow == nil {
					t.Fatalf("%+v, %v", kept, err)
				}
				lapsed := *kept.Flow
				lapsed.Deadline = time.Now()
				if err := s.SaveFlow("u", lapsed, func() bool { return true }); err != nil {
					t.Fatal(err)
				}
			})
		},
		"nothing until its time is over, and the proxy does not run": func(r *rig, outcome <-chan error) {
			r.stopped()
			<-outcome
			r.stored(func(s *store.Store) {
				kept, err := s.Load("u")
				if err != nil || kept.Flow == nil {
					t.Fatalf("%+v, %v", kept, err)
				}
				lapsed := *kept.Flow
				lapsed.Deadline = time.Now()
				if err := s.SaveFlow("u", lapsed, func() bool { return true }); err != nil {
					t.Fatal(err)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			if err := r.up.Logout(r.context()); err != nil {
				t.Fatal(err)
			}
			r.server.ForgetClients()
			r.server.Reset()
			outcome := r.errorPage()
			act(r, outcome)
			r.person = nil
			r.restart()
			r.login()
			r.mustCall()
			r.wantCounts(want{Authorize: 2, Code: 1, Register: 1})
		})
	}
}

// awaitDoubt does something and returns when the machine doubts the flow's client.
func (r *rig) awaitDoubt(act func()) {
	r.Helper()
	act()
	r.await("the doubt", func(s *transitions.Snapshot) bool { return s.Data.DoubtfulClient != "" })
}

// A login may ask for a client of its own; the one that is open is given up for it, and
// no other is begun meanwhile (fault E2).
func TestLoginThatRegisters(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	first := r.up.Status().Token.Client.ID
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	r.server.ForgetClients()
	r.server.Reset()
	outcome := r.errorPage()
	r.person = nil
	if err := r.up.LoginWith(r.context(), upstream.LoginOptions{Register: true}, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err == nil {
		t.Error("the login that was given up succeeded")
	}
	r.mustCall()
	if client := r.up.Status().Token.Client.ID; client == first {
		t.Errorf("the client is %s still", client)
	}
	r.wantCounts(want{Authorize: 2, Code: 1, Register: 1})

	given := newRig(t, oauthserver.Options{AutoApprove: true, Clients: map[string]string{"box": ""}},
		func(c *upstream.Config) { c.OAuth.ClientID = "box" })
	if err := given.up.LoginWith(given.context(), upstream.LoginOptions{Register: true}, nil); err == nil ||
		!strings.Contains(err.Error(), "oauth.clientId") {
		t.Errorf("with a configured client: %v", err)
	}
}

// An answer settles the doubt, whatever it says: a client that is known is not registered
// again. One that says that the client is at fault does not (faults E2 and E3).
func TestAnswersSettleTheDoubt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		response string // of the authorization server; "" is consent
		register int
	}{
		"consent": {"", 1}, "a denial": {"error=access_denied", 1}, "another error": {"error=server_error", 1},
		"a scope that it is not registered for": {"error=invalid_scope", 2}, "a client that is not known": {"error=unauthorized_client", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			page, outcome := r.openLogin()
			if test.response == "" {
				r.visit(page)
			} else {
				u, err := url.Parse(page)
				if err != nil {
					t.Fatal(err)
				}
				back := u.Query().Get("redirect_uri") + "?state=" + u.Query().Get("state") + "&iss=" + url.QueryEscape(r.server.URL()) + "&" +
					test.response
				r.visit(back)
			}
			if err := <-outcome; (err == nil) != (test.response == "") {
				t.Fatal(err)
			}
			r.person = nil
			r.restart()
			r.login()
			if c := r.server.Counters(); c.Register != test.register {
				t.Errorf("%d registrations, want %d", c.Register, test.register)
			}
		})
	}
}
