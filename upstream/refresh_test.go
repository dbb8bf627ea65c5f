package upstream_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
)

func TestManyCallsCauseOneRefresh(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.RevokeAccess()
	r.server.Reset()
	var all sync.WaitGroup
	var failed atomic.Int64
	for range 200 {
		all.Go(func() {
			if err := r.call(); err != nil {
				failed.Add(1)
				t.Log(err)
			}
		})
	}
	all.Wait()
	if c := r.server.Counters(); failed.Load() != 0 || c.TokenRefresh != 1 || c.Authorize != 0 {
		t.Errorf("%d calls failed; counted %+v", failed.Load(), c)
	}
}

func TestFreshTokenThatIsRefusedMakesNoStorm(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "unauthorized"})
	r.login()
	r.awaitCredential(states.LoginRequired)
	if c := r.server.Counters(); c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestLostRefreshAnswerIsKnownAndTriedOnce(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "token", Kind: "cut-after", Count: 1})
	r.server.RevokeAccess()
	if err := r.call(); err == nil {
		t.Fatal("a call with a lost rotation succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	if c := r.server.Counters(); c.TokenRefresh != 2 || c.RefreshReused != 1 {
		t.Errorf("counted %+v", c)
	}
	if reason := r.up.Snapshot().Data.Reason; reason != states.RotationLost {
		t.Errorf("the reason is %q", reason)
	}
	r.login()
	r.mustCall()
}

func TestSteadyCallsOnShortTokens(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 2 * time.Second}, nil)
	r.login()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		r.mustCall()
	}
	if c := r.server.Counters(); c.TokenRefresh < 2 || c.RefreshReused != 0 || c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestRefreshedTokenKnowsItsExpiry(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 100 * time.Second}, nil)
	r.login()
	r.mustCall()
	r.server.RevokeAccess()
	r.mustCall()
	token := r.up.Snapshot().Data.Token
	if life := token.ExpiresAt.Sub(token.ObtainedAt); token.Generation != 2 || life != 100*time.Second {
		t.Errorf("generation %d lives %s", token.Generation, life)
	}
}
