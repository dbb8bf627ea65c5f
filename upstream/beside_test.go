package upstream_test

import (
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// A login that a user has open, for another account or more scopes, takes nothing
// from the token that works: calls go on, whatever becomes of the process or of the
// connection meanwhile.
func TestAnOpenLoginDoesNotKeepCallsFromATokenThatWorks(t *testing.T) {
	for name, interrupt := range map[string]func(*rig){
		"restart": func(r *rig) {
			r.restart()
			r.awaitShown() // then its address is listened on again
		},
		"reconnection": func(r *rig) {
			if _, err := r.up.Disconnect(fsm.Person); err != nil {
				r.Fatal(err)
			}
			if _, err := r.up.Connect(fsm.Person); err != nil {
				r.Fatal(err)
			}
		},
		"lost connection": func(r *rig) {
			if _, err := r.up.Machine().Fire(transitions.Input{Event: transitions.TransportFailed, Actor: fsm.Automatic,
				At: time.Now()}); err != nil {
				r.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			page, ended := r.openLogin()
			interrupt(r)
			r.awaitCredential(states.AwaitingBrowser)
			r.mustCall()
			if status, text := r.visit(page); status != 200 {
				t.Errorf("the login ended with %d: %s", status, text)
			}
			<-ended // by the end of the process, or by the token
			r.awaitCredential(states.Fresh)
			r.mustCall()
			r.wantCounts(want{Authorize: 2, Code: 2, Register: 1})
		})
	}
}

// A first login, which has no token beside it, is waited for.
func TestAFirstLoginIsWaitedForWithoutAnAttemptToConnect(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.awaitCredential(states.LoginRequired)
	r.openLogin()
	unauthorized := r.server.Counters().Unauthorized
	r.restart()
	r.awaitCredential(states.AwaitingBrowser)
	if _, err := r.up.Connect(fsm.Person); err != nil {
		t.Fatal(err)
	}
	if now := r.server.Counters().Unauthorized; now != unauthorized {
		t.Errorf("%d attempts to connect were made while the page was open", now-unauthorized)
	}
}
