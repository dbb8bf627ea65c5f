package upstream_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/oauth"
)

// away has the authorization server answer every refresh with 503.
var away = oauthserver.Fault{Endpoint: "token", Kind: "status", Status: http.StatusServiceUnavailable, Grant: "refresh_token"}

// noPatience is for a renewal that is paused after its first failure.
func noPatience(c *upstream.Config) { c.Settings.RefreshBudget = 0 }

// The phase says Connected exactly while a request can carry a token that works, whatever
// replaces the one that does not: fault B7.
func TestThePhaseIsNotConnectedWithoutATokenThatWorks(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*upstream.Config)
		begin  func(*rig)
		ends   states.State
	}{
		"refused by the server, and the renewal is tried again": {nil, func(r *rig) {
			r.login()
			r.mustCall()
			r.setFaults(away)
			r.server.RevokeAccess()
			go func() { _ = r.call() }()
		}, states.RefreshBackoff},
		"refused by the server, and the renewal is paused": {noPatience, func(r *rig) {
			r.login()
			r.mustCall()
			r.setFaults(away)
			r.server.RevokeAccess()
			go func() { _ = r.call() }()
		}, states.RefreshPaused},
		"expired, and the renewal is tried again": {nil, func(r *rig) {
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 1, Grant: "authorization_code", Count: 1}, away)
			r.login()
		}, states.RefreshBackoff},
		"expired while a login is open": {nil, func(r *rig) {
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 2, Grant: "authorization_code", Count: 1}, away)
			r.login()
			r.await("the connection", func(s *transitions.Snapshot) bool { return transitions.OutlookOf(s) == transitions.Serves })
			r.openLogin()
		}, states.AwaitingBrowser},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, test.change)
			test.begin(r)
			r.await("the token to be over", func(s *transitions.Snapshot) bool {
				at := s.Region(states.Connection).State == states.Connected && s.Region(states.Credential).State == test.ends
				return at && !s.Data.TokenUsable(time.Now())
			})
			r.await("the phase to say so", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) != states.Phase(states.Connected) })
			if s := r.up.Status(); s.Phase == states.Phase(states.Connected) || s.Outlook == transitions.Serves ||
				s.Phase == states.Phase(states.Fresh) {
				t.Errorf("the phase is %s, and a call %s", s.Phase, s.Outlook)
			}
			r.server.Reset()
			if test.ends == states.AwaitingBrowser {
				if _, err := r.up.CancelLogin(); err != nil {
					t.Fatal(err)
				}
			}
			r.await("Connected", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) == states.Phase(states.Connected) })
			r.mustCall()
		})
	}
}

// Calls go on within two seconds of the authorization server's return, also where the
// renewal is paused by then: fault B6.
func TestCallsAreBackSoonAfterTheAuthorizationServer(t *testing.T) {
	for name, change := range map[string]func(*upstream.Config){"within the budget": nil, "after it": noPatience} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, change)
			r.login()
			r.mustCall()
			r.setFaults(away)
			r.server.RevokeAccess()
			go func() { _ = r.call() }()
			r.await("five attempts", func(s *transitions.Snapshot) bool {
				if s.Region(states.Credential).State == states.RefreshPaused {
					go func() { _ = r.call() }() // which asks for the next one
				}
				return s.Data.RefreshAttempts >= 5
			})
			if n := r.server.Counters().TokenRefresh; n > 6 {
				t.Errorf("%d requests were made for %d attempts", n, 5)
			}
			r.server.Reset()
			back := time.Now()
			for r.call() != nil {
				<-time.After(50 * time.Millisecond)
			}
			if took := time.Since(back); took > 3*time.Second {
				t.Errorf("the first good call came after %v", took)
			}
		})
	}
}

// A call may ask for an attempt to renew, and not more often than every two seconds, nor
// before the authorization server wants it.
func TestCallsAskForAnAttemptWithinBounds(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, noPatience)
	r.login()
	r.mustCall()
	busy := away
	busy.RetryAfter = 30
	r.setFaults(busy)
	r.server.RevokeAccess()
	for range 50 {
		if r.call() == nil {
			t.Fatal("a call went through")
		}
	}
	if n := r.server.Counters().TokenRefresh; n != 1 {
		t.Errorf("%d requests were made within a Retry-After", n)
	}
}

// A login that a user begins where the server asks for none takes nothing away: the
// connection lasts, calls go on, and where the login comes to nothing all is as before:
// fault D7.
func TestALoginTakesNothingFromAServerThatNeedsNone(t *testing.T) {
	gone := func(endpoint string) oauthserver.Fault {
		return oauthserver.Fault{Endpoint: endpoint, Kind: "status", Status: http.StatusNotFound}
	}
	for name, test := range map[string]struct {
		faults []oauthserver.Fault
		opens  bool
		end    func(*rig)
		ends   states.State
	}{
		"there is no login":          {faults: []oauthserver.Fault{gone("prm"), gone("metadata")}, ends: states.Anonymous},
		"the metadata is unreadable": {faults: []oauthserver.Fault{{Endpoint: "metadata", Kind: "malformed"}}, ends: states.Anonymous},
		"nobody is registered":       {faults: []oauthserver.Fault{{Endpoint: "register", Kind: "status", Status: http.StatusForbidden}}, ends: states.Anonymous},
		"it is declined":             {faults: []oauthserver.Fault{{Endpoint: "authorize", Kind: "denied"}}, ends: states.Anonymous},
		"the code is refused":        {faults: []oauthserver.Fault{{Endpoint: "token", Kind: "invalid-grant"}}, ends: states.Anonymous},
		"the client is refused":      {faults: []oauthserver.Fault{{Endpoint: "token", Kind: "invalid-client"}}, ends: states.Anonymous},
		"it is cancelled": {opens: true, ends: states.Anonymous, end: func(r *rig) {
			if _, err := r.up.CancelLogin(); err != nil {
				r.Error(err)
			}
		}},
		"it lapses":        {opens: true, ends: states.Anonymous, end: func(*rig) {}},
		"it is completed":  {ends: states.Fresh},
		"the code is late": {faults: []oauthserver.Fault{{Endpoint: "token", Kind: "status", Status: http.StatusServiceUnavailable, Count: 1}}, ends: states.Fresh},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{NoAuth: true, AutoApprove: true},
				func(c *upstream.Config) { c.Settings.LoginDeadline = 4 * time.Second })
			r.await("Connected", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) == states.Phase(states.Connected) })
			connection := r.up.Snapshot().Region(states.Connection).Epoch
			r.setFaults(test.faults...)
			if test.opens {
				_, ended := r.openLogin()
				r.mustCall()
				if s := r.up.Status(); s.Phase != states.Phase(states.Connected) || s.Outlook != transitions.Serves {
					t.Errorf("while the login is open it is %s, and a call %s", s.Phase, s.Outlook)
				}
				test.end(r)
				<-ended
			} else if err := r.up.Login(r.context(), nil); (err == nil) != (test.ends == states.Fresh) {
				t.Errorf("the login ended with %v", err)
			}
			r.awaitCredential(test.ends)
			r.mustCall()
			if now := r.up.Snapshot().Region(states.Connection); now.Epoch != connection || now.State != states.Connected {
				t.Errorf("the connection was given up: it is %s", now.State)
			}
			if r.restart(); test.ends == states.Anonymous {
				r.awaitCredential(states.Anonymous)
			}
			r.mustCall()
		})
	}
}

// An open login that the server had not asked for keeps nobody from it after a restart;
// once the server asks, it is one that is needed: fault D7.
func TestAnOptionalLoginOutlivesARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{NoAuth: true, AutoApprove: true}, nil)
	r.await("Connected", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) == states.Phase(states.Connected) })
	page, _ := r.openLogin()
	r.restart()
	r.awaitCredential(states.AwaitingBrowser)
	r.mustCall()
	if status, text := r.visit(page); status != http.StatusOK {
		t.Errorf("the login ended with %d: %s", status, text)
	}
	r.mustCall()
	if r.up.Snapshot().Data.Token == nil {
		t.Error("there is no token")
	}
}

// A server that asks for a login while one is open makes it a needed one: nothing is
// called Connected that is refused: faults B7 and D7.
func TestAServerMayAskForTheLoginThatIsOpen(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{NoAuth: true, AutoApprove: true}, nil)
	r.await("Connected", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) == states.Phase(states.Connected) })
	_, ended := r.openLogin()
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "status", Status: http.StatusUnauthorized})
	if err := r.call(); err == nil {
		t.Fatal("a call went through")
	}
	if s := r.up.Status(); s.Phase != states.Phase(states.AwaitingBrowser) || s.Outlook != transitions.NeedsPerson {
		t.Errorf("it is %s, and a call %s", s.Phase, s.Outlook)
	}
	if _, err := r.up.CancelLogin(); err != nil {
		t.Fatal(err)
	}
	<-ended
	r.awaitCredential(states.LoginRequired)
}

// A logout of a server that has no login is ended by asking for one: fault D7.
func TestALogoutOfAServerWithoutALoginCanBeEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{NoAuth: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "prm", Kind: "status", Status: http.StatusNotFound},
		oauthserver.Fault{Endpoint: "metadata", Kind: "status", Status: http.StatusNotFound})
	r.await("Connected", func(s *transitions.Snapshot) bool { return transitions.PhaseOf(s) == states.Phase(states.Connected) })
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.up.Connect(fsm.Person); err != nil {
		t.Fatal(err)
	}
	var none *upstream.LoginError
	if err := r.up.Login(r.context(), nil); !errors.As(err, &none) || none.State != states.Anonymous || none.Reason != states.NotOAuth {
		t.Errorf("the login ended with %v", err)
	}
	r.mustCall()
	r.restart()
	r.mustCall()
}

// What the authorization server could not do now is tried again within the login's
// deadline; a code only where it is known not to be spent: fault B9.
func TestALoginOutlivesAServerThatIsBusy(t *testing.T) {
	busy := func(endpoint string, status, count, after int) oauthserver.Fault {
		return oauthserver.Fault{Endpoint: endpoint, Kind: "status", Status: status, Count: count, RetryAfter: after}
	}
	for name, fault := range map[string]oauthserver.Fault{
		"discovery, 503":        busy("metadata", http.StatusServiceUnavailable, 2, 0),
		"discovery, 500":        busy("prm", http.StatusInternalServerError, 2, 0),
		"registration, 429":     busy("register", http.StatusTooManyRequests, 1, 3),
		"registration, 500":     busy("register", http.StatusInternalServerError, 1, 0),
		"code exchange, 503":    busy("token", http.StatusServiceUnavailable, 2, 0),
		"code exchange, 429":    busy("token", http.StatusTooManyRequests, 1, 2),
		"code exchange, a code": {Endpoint: "token", Kind: "refuse", Error: "temporarily_unavailable", Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.setFaults(fault)
			begun := time.Now()
			r.login()
			r.mustCall()
			if took := time.Since(begun); took < time.Duration(fault.RetryAfter)*time.Second {
				t.Errorf("it was tried again after %v", took)
			}
			if n := r.opened.Load(); n != 1 {
				t.Errorf("%d pages were opened", n)
			}
		})
	}
}

// A code whose answer was lost, or that a gateway answered for, is not sent again: fault B9.
func TestACodeThatMayBeSpentIsNotSentAgain(t *testing.T) {
	for name, fault := range map[string]oauthserver.Fault{
		"lost":        {Endpoint: "token", Kind: "cut-after"},
		"bad gateway": {Endpoint: "token", Kind: "status", Status: http.StatusBadGateway},
		"refused":     {Endpoint: "token", Kind: "refuse", Error: "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.setFaults(fault)
			if err := r.up.Login(r.context(), nil); err == nil {
				t.Error("the login went through")
			}
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
		})
	}
	refused := &oauth.Error{Class: oauth.NotSent, Err: &net.OpError{Op: "dial"}}
	if !upstream.Unspent(refused) || upstream.Unspent(&oauth.Error{Class: oauth.Ambiguous}) || upstream.Unspent(net.ErrClosed) {
		t.Error("a request that was not sent spends nothing, and one without an answer may")
	}
}

// A login that is delayed can be given up, and ends at its deadline.
func TestADelayedLoginIsTheUsers(t *testing.T) {
	for name, cancel := range map[string]bool{"given up": true, "deadline": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) {
				if !cancel {
					c.Settings.LoginDeadline = 3 * time.Second
				}
			})
			r.awaitCredential(states.LoginRequired)
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: http.StatusServiceUnavailable})
			ended := make(chan error, 1)
			go func() { ended <- r.up.Login(r.context(), nil) }()
			r.awaitCredential(states.LoginBackoff)
			if _, err := r.up.RequestLogin(r.context()); err != nil {
				t.Errorf("a second login = %v", err)
			}
			if cancel {
				if _, err := r.up.CancelLogin(); err != nil {
					t.Fatal(err)
				}
			}
			var over *upstream.LoginError
			if err := <-ended; !errors.As(err, &over) || over.State != states.LoginRequired {
				t.Errorf("the login ended with %v", err)
			}
			if n := r.server.Counters().Authorize; n != 1 {
				t.Errorf("%d authorization requests were made", n)
			}
		})
	}
}

// Why a login is needed is still known after a restart, in the server's words: fault B8.
func TestAReasonSurvivesARestart(t *testing.T) {
	refresh := func(kind string) func(*rig) {
		return func(r *rig) {
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 1, Grant: "authorization_code", Count: 1},
				oauthserver.Fault{Endpoint: "token", Kind: kind, Grant: "refresh_token"})
			r.login()
		}
	}
	for name, test := range map[string]struct {
		begin  func(*rig)
		reason states.Reason
	}{
		"the refresh token is refused": {refresh("invalid-grant"), states.RefreshRejected},
		"the client is forgotten":      {refresh("invalid-client"), states.ClientForgotten},
		"the login is declined": {func(r *rig) {
			r.awaitCredential(states.LoginRequired)
			r.setFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied"})
			_ = r.up.Login(r.context(), nil)
		}, states.LoginDenied},
		"the code is refused": {func(r *rig) {
			r.awaitCredential(states.LoginRequired)
			r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"})
			_ = r.up.Login(r.context(), nil)
		}, states.ExchangeFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			test.begin(r)
			r.await("the reason", func(s *transitions.Snapshot) bool {
				return s.Region(states.Credential).State == states.LoginRequired && s.Data.Reason == test.reason
			})
			said := r.up.Snapshot().Data.CredentialError.Text
			for range 2 {
				r.restart()
				<-time.NewTimer(1100 * time.Millisecond).C // the access token is over
				r.await("the reason after a restart", func(s *transitions.Snapshot) bool {
					return s.Region(states.Credential).State == states.LoginRequired && s.Data.Reason == test.reason
				})
				if now := r.up.Snapshot().Data.CredentialError.Text; now != said || said == "" {
					t.Errorf("it was %q and is %q", said, now)
				}
			}
			r.server.Reset()
			r.login()
			if d := r.up.Snapshot().Data; d.Reason != "" || d.CredentialError.Text != "" {
				t.Errorf("after a login it is still %s: %s", d.Reason, d.CredentialError.Text)
			}
		})
	}
}
