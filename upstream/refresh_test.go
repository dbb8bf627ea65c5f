package upstream_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"

	"github.com/google/go-cmp/cmp"
)

// Calls that meet a 401 on a token that still looks valid share one refresh.
func TestCallsThatMeetA401ShareOneRefresh(t *testing.T) {
	for _, calls := range []int{16, 200} {
		t.Run(fmt.Sprint(calls), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			r.server.RevokeAccess()
			r.server.Reset()
			if failed := r.parallel(calls, r.call); failed != 0 {
				t.Errorf("%d of %d calls failed", failed, calls)
			}
			r.wantCounts(want{Refresh: 1})
		})
	}
}

func TestCallsOnAnExpiredTokenShareOneRefresh(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.loginExpired()
	r.start()
	if failed := r.parallel(200, r.call); failed != 0 {
		t.Errorf("%d of 200 calls failed", failed)
	}
	r.wantCounts(want{Refresh: 1})
}

// A token that was issued just now and is refused is not renewed: another one
// would not help. The calls say so, and nothing more is sent.
func TestFreshTokenThatIsRefusedMakesNoStorm(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "unauthorized"})
	r.login()
	r.awaitCredential(states.LoginRequired)
	if reason := r.up.Snapshot().Data.Reason; reason != states.TokenRejected {
		t.Errorf("the reason is %q", reason)
	}
	r.await("the connection to wait", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.AwaitingLogin })
	sent := r.server.Counters().MCP
	for range 20 {
		var answer *jsonrpc.Error
		if err := r.call(); !errors.As(err, &answer) || answer.Code != jsonrpc.CodeLoginNeeded ||
			!strings.Contains(answer.Message, states.TokenRejected.Doc()) {
			t.Fatalf("call = %v", err)
		}
	}
	if diff := cmp.Diff(sent, r.server.Counters().MCP); diff != "" {
		t.Errorf("requests with a refused token:\n%s", diff)
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A refresh whose answer is lost is known as such and sent once more, not again.
func TestLostRefreshAnswerIsKnownAndTriedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "cut-after", Count: 1})
	r.server.RevokeAccess()
	if err := r.call(); err == nil {
		t.Fatal("a call with a lost rotation succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	if reason := r.up.Snapshot().Data.Reason; reason != states.RotationLost {
		t.Errorf("the reason is %q", reason)
	}
	r.wantCounts(want{Refresh: 2, Reused: 1})
	r.login()
	r.mustCall()
	r.wantCounts(want{Authorize: 1, Code: 1, Refresh: 2, Reused: 1})
}

// A request that never reached the server, or that it answered with 503, has
// spent nothing: the same refresh token is sent again.
func TestRefreshThatSpentNothingIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: http.StatusServiceUnavailable, Count: 1})
	r.server.RevokeAccess()
	r.mustCall()
	r.wantCounts(want{Refresh: 2})
}

// Tokens are renewed ahead of their expiry, by the clock and by nothing else, while
// calls go on. The server takes a token for a while after its end, so that how long a
// request is on its way is not judged: a busy machine may need more than the fifth of
// a life that renewal is ahead.
func TestSteadyCallsOnShortTokens(t *testing.T) {
	t.Parallel()
	const life = 2 * time.Second
	began := time.Now()
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: life, Leeway: time.Minute}, nil)
	r.login()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		r.mustCall()
	}
	c := r.server.Counters()
	if most := int(time.Since(began)/(life-2*life/5)) + 1; c.TokenRefresh < 2 || c.TokenRefresh > most || c.Unauthorized > 1 {
		t.Errorf("at most %d renewals are due by now; counted %+v", most, c)
	}
	for _, e := range r.entries() {
		if e.To == string(states.RefreshQueued) && e.Disposition == fsm.Moved && e.Event != string(transitions.RenewDue) {
			t.Errorf("a refresh was begun by %s", e.Event)
		}
	}
	r.wantCounts(want{Authorize: 1, Code: 1, Refresh: c.TokenRefresh, Register: 1})
}

func TestRefreshedTokenKnowsItsExpiry(t *testing.T) {
	t.Parallel()
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
