package upstream_test

import (
	"errors"
	"net/http"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"

	"github.com/google/go-cmp/cmp"
)

// The first bug: an expired token with a refresh token beside it is refreshed on
// reconnection, with one request and without a browser.
func TestExpiredTokenIsRefreshedAfterRestart(t *testing.T) {
	for name, test := range map[string]struct {
		faults   []oauthserver.Fault
		requests int
	}{
		"at once":   {nil, 1},
		"503 twice": {[]oauthserver.Fault{{Endpoint: "token", Kind: "status", Status: 503, Count: 2, Grant: "refresh_token"}}, 3},
		"slowly":    {[]oauthserver.Fault{{Endpoint: "token", Kind: "delay", Delay: 50, Count: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.loginExpired()
			r.setFaults(test.faults...)
			r.start()
			r.mustCall()
			r.wantCounts(want{Refresh: test.requests})
		})
	}
}

// invalid_grant is final: neither calls nor reconnects nor a restart send the
// refresh token again, and each call says what a user can do.
func TestInvalidGrantEndsInALoginRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.loginExpired()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"})
	r.start()
	for range 2 {
		for range 5 {
			var answer *jsonrpc.Error
			if err := r.call(); !errors.As(err, &answer) || answer.Code != jsonrpc.CodeLoginNeeded {
				t.Fatalf("call = %v", err)
			}
			_, _ = r.up.Connect(fsm.Person)
		}
		r.wantCounts(want{Refresh: 1})
		r.restart()
	}
	r.wantCounts(want{Refresh: 1})
}

func TestServerThatIsDownDeletesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.stopped()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "status", Status: http.StatusServiceUnavailable, Count: 3})
	r.start()
	r.await("BackingOff", func(s *transitions.Snapshot) bool {
		return s.Region(states.Connection).State == states.BackingOff && s.Data.Attempts == 2
	})
	if token := r.up.Snapshot().Data.Token; token == nil || !token.HasRefresh() {
		t.Errorf("the token is gone: %v", token)
	}
	r.mustCall() // waits for the way back
	r.wantCounts(want{})
}

// A reconnection with a valid token sends the handshake and the lists, once
// each, and nothing to the authorization server.
func TestReconnectWithAValidTokenSendsNoMoreThanTheProtocolNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		options oauthserver.Options
		counts  map[string]int
	}{
		"with a session": {oauthserver.Options{AutoApprove: true, Sessions: true}, map[string]int{
			"server/discover": 1, "initialize": 1, "notifications/initialized": 1, "tools/list": 1, "resources/list": 1, "resources/templates/list": 1, "prompts/list": 1, "tools/call": 1}},
		"without a session": {oauthserver.Options{AutoApprove: true}, map[string]int{
			"server/discover": 1, "tools/list": 1, "resources/list": 1, "resources/templates/list": 1, "prompts/list": 1, "tools/call": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.options, nil)
			r.login()
			r.mustCall()
			r.stopped()
			r.server.Reset()
			r.start()
			r.mustCall()
			c := r.server.Counters()
			if streams := c.MCP["GET"] + c.MCP["subscriptions/listen"]; streams > 1 {
				t.Errorf("%d streams for the server's messages", streams)
			}
			// The stream is opened beside the calls and may come later.
			delete(c.MCP, "GET")
			delete(c.MCP, "subscriptions/listen")
			if diff := cmp.Diff(test.counts, c.MCP); diff != "" || c.ResourceMetadata+c.ServerMetadata+c.Unauthorized != 0 {
				t.Errorf("counted %+v, (-want +got):\n%s", c, diff)
			}
			r.wantCounts(want{})
		})
	}
}
