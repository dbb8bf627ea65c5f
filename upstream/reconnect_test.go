package upstream_test

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// While an upstream is on its way back its known tools stay listed. A call waits for
// it as long as the call's own time lasts, and then says where the upstream is; one
// that has the time is answered when the server is there again.
func TestToolsStayAndCallsWaitWhileAnUpstreamIsOnItsWayBack(t *testing.T) {
	r := newRig(t, oauthserver.Options{NoAuth: true}, nil)
	r.mustCall()
	known := len(r.up.Catalog().Tools)
	if known == 0 {
		t.Fatal("the test server lists no tools")
	}
	at, err := url.Parse(r.server.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.server.Close(); err != nil {
		t.Fatal(err)
	}

	// The stream that is open beside the calls tells of it.
	r.await("BackingOff", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.BackingOff })
	ctx, cancel := context.WithTimeout(r.context(), 100*time.Millisecond) // shorter than the first pause
	defer cancel()
	_, err = r.up.Call(ctx, echo)
	var answer *jsonrpc.Error
	if !errors.As(err, &answer) || answer.Code != jsonrpc.CodeUnavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("call = %v", err)
	}
	if !strings.Contains(answer.Message, "BackingOff since") || !strings.Contains(answer.Message, "the next one is at") {
		t.Errorf("the call says %q", answer.Message)
	}
	if now := len(r.up.Catalog().Tools); now != known {
		t.Errorf("%d tools are listed, were %d", now, known)
	}

	waiting := make(chan error, 1)
	go func() { waiting <- r.call() }()
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	back, err := oauthserver.Start(t.Context(), oauthserver.Options{NoAuth: true, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if err := <-waiting; err != nil {
		t.Errorf("the call that had the time: %v", err)
	}
	if n := back.Counters().MCP["tools/call"]; n != 1 {
		t.Errorf("the call was sent %d times", n)
	}
	r.await("Connected", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
	r.stopped()
}

// A call whose connection breaks before the answer is sent again only if that is
// safe; otherwise the client is told that nobody knows what became of it.
func TestBrokenCallIsSentAgainOnlyIfThatIsSafe(t *testing.T) {
	for name, safe := range map[string]bool{"safe": true, "not safe": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oauthserver.Options{NoAuth: true}, nil)
			r.mustCall()
			r.setFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "cut-before", Method: "tools/call", Count: 1})
			call := echo
			call.Safe = safe
			_, err := r.up.Call(r.context(), call)
			var answer *jsonrpc.Error
			switch {
			case safe && err != nil:
				t.Errorf("call = %v", err)
			case !safe && (!errors.As(err, &answer) || !strings.Contains(answer.Message, "is not known")):
				t.Errorf("call = %v", err)
			}
		})
	}
}

// An upstream is connected when the server has taken its token, and not before: with one
// that is refused it never is, and one that is refused later ends it.
func TestConnectedMeansThatTheTokenIsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	if d := r.up.Snapshot().Data; d.Accepted != d.Token.Generation {
		t.Errorf("connected with generation %d, and accepted is %d", d.Token.Generation, d.Accepted)
	}
	r.server.RevokeGrants()
	r.server.RevokeAccess()
	if err := r.call(); err == nil {
		t.Fatal("a call with a token that was revoked was answered")
	}
	r.await("the end of the connection", func(s *transitions.Snapshot) bool {
		return s.Region(states.Connection).State == states.AwaitingLogin
	})
	r.login()
	r.mustCall()
	r.stopped()
	r.server.RevokeGrants()
	r.server.RevokeAccess()
	begin := len(r.entries())
	r.start()
	r.awaitCredential(states.LoginRequired)
	r.stopped()
	for _, e := range r.entries()[begin:] {
		if e.To == string(states.Connected) {
			t.Errorf("%s led to %s with a token that was revoked", e.Event, e.To)
		}
	}
}
