package upstream_test

import (
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

// Calls go on soon after an outage of the authorization server, however long it was, while
// no token works and someone calls: fault B6. Those of docs/reliability.md are measured
// with real processes, in tests/e2e.
func TestReturnFromAnOutage(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.setFaults(away)
	r.server.RevokeAccess()
	ended := time.After(time.Second)
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-time.After(100 * time.Millisecond):
			go func() { _ = r.call() }()
		}
	}
	r.server.Reset()
	back := time.Now()
	for r.call() != nil {
		if time.Since(back) > 10*time.Second {
			t.Fatal("no call went through")
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Logf("the first good call %v after its end", time.Since(back).Round(time.Millisecond))
}
