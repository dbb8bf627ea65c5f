package upstream_test

import (
	"flag"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

var outages = flag.Bool("outages", false, "measure the return from outages of up to a minute")

// Calls go on soon after an outage of the authorization server, however long it was, while
// no token works and somebody calls: fault B6. With -outages it measures those of
// docs/reliability.md.
func TestReturnFromAnOutage(t *testing.T) {
	lengths := []time.Duration{time.Second}
	if *outages {
		lengths = []time.Duration{1 * time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second, 45 * time.Second, 60 * time.Second}
	}
	for _, length := range lengths {
		t.Run(length.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			r.setFaults(away)
			r.server.RevokeAccess()
			ended := time.After(length)
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
			t.Logf("an outage of %v: the first good call %v after its end", length, time.Since(back).Round(time.Millisecond))
		})
	}
}
