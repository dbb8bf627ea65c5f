package upstream_test

import (
	"testing"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// What became of showing a login's page is a value of a type, with words at the edges:
// who joins a login that a browser asked for is told that this browser has its page, and
// not that the browser "was not opened: opened" (fault J8).
func TestWhatBecameOfThePageIsAType(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{}, nil)
	if _, err := r.up.LoginPage(r.context()); err != nil {
		t.Fatal(err)
	}
	r.await("the page to be sent", func(s *transitions.Snapshot) bool { return s.Data.Shown.How == states.SentToBrowser })
	flow := r.up.Status().Flow
	if flow.Shown != states.SentToBrowser || flow.ShownText != "the browser that asked for the page has it" || r.opened.Load() != 0 {
		t.Errorf("the status says %q, %q after %d pages", flow.Shown, flow.ShownText, r.opened.Load())
	}
}
