package upstream_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// The second bug: concurrent logins share one flow, one page and one outcome.
func TestConcurrentLoginsShareOneFlow(t *testing.T) {
	for name, test := range map[string]struct {
		faults []oauthserver.Fault
		failed int
		want   want
	}{
		"consent": {[]oauthserver.Fault{{Endpoint: "authorize", Kind: "delay", Delay: 300}}, 0, want{Authorize: 1, Code: 1, Register: 1}},
		"denial":  {[]oauthserver.Fault{{Endpoint: "prm", Kind: "delay", Delay: 300}, {Endpoint: "authorize", Kind: "denied"}}, 50, want{Authorize: 1, Register: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.awaitCredential(states.LoginRequired)
			r.setFaults(test.faults...)
			ctx := r.context()
			var mu sync.Mutex
			outcomes := map[string]bool{}
			failed := r.parallel(50, func() error {
				err := r.up.Login(ctx, nil)
				mu.Lock()
				defer mu.Unlock()
				outcomes[fmt.Sprint(err)] = true
				return err
			})
			if failed != test.failed || len(outcomes) != 1 || r.opened.Load() != 1 {
				t.Errorf("%d of 50 failed with %d outcomes and %d pages: %v", failed, len(outcomes), r.opened.Load(), outcomes)
			}
			r.wantCounts(test.want)
		})
	}
}

// 200 calls and 50 reconnect demands against an upstream without a token: one
// authorization request, and every call succeeds once the user consents.
func TestCallsWaitForTheLoginThatTheyCaused(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	var reconnects sync.WaitGroup
	for range 50 {
		reconnects.Go(func() { _, _ = r.up.Connect(fsm.Automatic) })
	}
	if failed := r.parallel(200, r.call); failed != 0 {
		t.Errorf("%d calls failed", failed)
	}
	reconnects.Wait()
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// The browser comes back for a login that a user gave up, while a newer one is
// open: the page says so, the journal names the older flow, the newer one goes on.
func TestLateCallbackOfAnOlderFlowIsRefusedAndNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	older, ended := r.openLogin()
	olderFlow := r.up.Snapshot().Data.FlowID
	late := r.redirected(older)
	if _, err := r.up.CancelLogin(); err != nil {
		t.Fatal(err)
	}
	var cancelled *upstream.LoginError
	if err := <-ended; !errors.As(err, &cancelled) || cancelled.Flow != olderFlow {
		t.Errorf("the older login ended with %v", err)
	}
	newer, outcome := r.openLogin()
	if status, page := r.visit(late); status != http.StatusConflict || !strings.Contains(page, "is over") {
		t.Errorf("the late browser sees %d: %s", status, page)
	}
	if e := r.awaitRefused(transitions.CodeReceived); e.Flow != olderFlow || e.Guard != "openFlow" {
		t.Errorf("the journal has %+v", e)
	}
	if status, page := r.visit(newer); status != http.StatusOK {
		t.Errorf("the newer login ended with %d: %s", status, page)
	}
	if err := <-outcome; err != nil {
		t.Error(err)
	}
	// The cancelled page had brought no answer: its client may be forgotten (fault E2).
	r.wantCounts(want{Authorize: 2, Code: 1, Register: 2})
}

// A demand of the machine for a login while a refresh is in flight is refused
// and named; no authorization request is made.
func TestLoginDemandDuringARefreshIsRefusedAndNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "delay", Delay: 400})
	r.server.RevokeAccess()
	answered := make(chan error, 1)
	go func() { answered <- r.call() }()
	r.awaitCredential(states.Refreshing)
	_, err := r.up.Machine().Fire(transitions.Input{Event: transitions.LoginProposed, Actor: fsm.Automatic, At: time.Now(),
		Flow: "00000000-0000-4000-8000-000000000001"})
	var illegal *fsm.IllegalTransitionError
	if !errors.As(err, &illegal) || !strings.Contains(err.Error(), "Refreshing") || !strings.Contains(err.Error(), "LoginProposed") {
		t.Errorf("the demand was answered with %v", err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
	r.wantCounts(want{Refresh: 1})
}

// A user who asks during a refresh is not turned away: the login follows it.
func TestPersonsLoginDuringARefreshFollowsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "delay", Delay: 300, Grant: "refresh_token"})
	r.server.RevokeAccess()
	answered := make(chan error, 1)
	go func() { answered <- r.call() }()
	r.awaitCredential(states.Refreshing)
	r.login()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Refresh: 1})
}

// The third bug: the limit holds the machine back, says so, and never holds a
// person or another upstream.
func TestTheBrowserLimitIsForTheMachine(t *testing.T) {
	t.Parallel()
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	r.setFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied", Count: 1})
	r.awaitCredential(states.AwaitingBrowser)
	r.awaitCredential(states.LoginRequired)
	for range 3 {
		if err := r.call(); err == nil {
			t.Fatal("the call had no login and succeeded")
		}
	}
	if e := r.awaitRefused(transitions.LoginProposed); e.Guard != "browserLimit" || !strings.Contains(e.Reason, "auth login") {
		t.Errorf("the machine's second login was not held back, or not said: %+v", e)
	}
	r.wantCounts(want{Authorize: 1, Register: 1})

	other := r.config
	other.Name, other.URL = "v", server.MCPURL()
	if err := r.manager.Apply(r.context(), []upstream.Config{r.config, other}, true); err != nil {
		t.Fatal(err)
	}
	v, err := r.manager.Get("v")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Call(r.context(), echo); err != nil {
		t.Errorf("another upstream's own login was held back: %v", err)
	}
	if c := server.Counters(); c.Authorize != 1 {
		t.Errorf("the other upstream's server counted %+v", c)
	}

	r.login()
	r.mustCall()
	r.wantCounts(want{Authorize: 2, Code: 1, Register: 1})
}
