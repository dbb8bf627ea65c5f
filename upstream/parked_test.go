package upstream_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"github.com/google/go-cmp/cmp"
)

// quiet is how long nothing may arrive while an upstream waits for a user.
const quiet = 500 * time.Millisecond

// While it waits for a user an upstream sends nothing, whoever asks.
func TestNothingIsSentWhileAPersonIsAwaited(t *testing.T) {
	for name, park := range map[string]func(*rig){
		"LoginRequired": func(r *rig) { r.awaitCredential(states.LoginRequired) },
		"AwaitingBrowser": func(r *rig) {
			r.openLogin()
			r.awaitCredential(states.AwaitingBrowser)
		},
		"LoggedOut": func(r *rig) {
			r.login()
			if err := r.up.Logout(r.context()); err != nil {
				r.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{}, nil)
			r.person = func(target string) { go r.consent(target) }
			park(r)
			r.await("the connection to wait", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State != states.Connecting })
			r.server.Reset()
			for range 20 {
				var answer *jsonrpc.Error
				if err := r.call(); !errors.As(err, &answer) || answer.Code != jsonrpc.CodeLoginNeeded {
					t.Fatalf("call = %v", err)
				}
				_, _ = r.up.Connect(fsm.Automatic)
			}
			<-time.NewTimer(quiet).C
			if diff := cmp.Diff(oauthserver.Counters{MCP: map[string]int{}}, r.server.Counters()); diff != "" {
				t.Errorf("something was sent:\n%s", diff)
			}
		})
	}
}

var consentID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// consent is a user who presses the button on the consent page.
func (r *rig) consent(target string) {
	_, page := r.visit(target)
	response, err := http.PostForm(r.server.URL()+"/authorize",
		url.Values{"id": {consentID.FindStringSubmatch(page)[1]}, "decision": {"approve"}})
	if err != nil {
		r.Error(err)
		return
	}
	_ = response.Body.Close()
}

// One consent serves the calls that waited, and a page that is asked for again
// is the same page.
func TestConsentOnThePageServesEveryWaitingCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	r.awaitShown()
	failed := make(chan int, 1)
	go func() { failed <- r.parallel(200, r.call) }()
	flow := r.up.Snapshot().Data.Flow
	r.consent(flow.AuthorizationURL.Reveal())
	if n := <-failed; n != 0 {
		t.Errorf("%d of 200 calls failed", n)
	}
	c := r.server.Counters()
	if c.Approved != 1 {
		t.Errorf("counted %+v", c)
	}
	r.wantCounts(want{Authorize: c.Authorize, Code: 1, Register: 1})
}
