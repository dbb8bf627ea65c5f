package upstream_test

import (
	"encoding/json"
	"testing"

	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
)

// One initialize, and the call is sent once more.
func TestServerForgetsTheSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetSessions()
	r.mustCall()
	if c := r.server.Counters(); c.MCP["initialize"] != 1 || c.MCP["tools/call"] != 2 {
		t.Errorf("counted %+v", c)
	}
	r.wantCounts(want{})
}

// Calls that meet the loss together share the new session.
func TestCallsThatLoseTheSessionShareTheNewOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetSessions()
	if failed := r.parallel(20, r.call); failed != 0 {
		t.Errorf("%d of 20 calls failed", failed)
	}
	if c := r.server.Counters(); c.MCP["initialize"] != 1 || c.MCP["tools/call"] > 40 {
		t.Errorf("counted %+v", c)
	}
	r.wantCounts(want{})
}

// One registration, one login.
func TestServerForgetsTheClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetClients()
	if err := r.call(); err == nil {
		t.Fatal("a call without a grant succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	if reason := r.up.Snapshot().Data.Reason; reason != states.ClientForgotten {
		t.Errorf("the reason is %q", reason)
	}
	r.login()
	r.mustCall()
	r.wantCounts(want{Authorize: 1, Code: 1, Refresh: 1, Register: 1})
}

// admin is a call that needs more scope than echo does.
var admin = relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"admin","arguments":{}}`)}

// A call that lacks scope keeps the token in use; the next login asks for more.
func TestStepUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	if _, err := r.up.Call(r.context(), admin); err == nil {
		t.Fatal("the call had too little scope and succeeded")
	}
	r.mustCall() // the token stays in use
	r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		r.dump()
		t.Fatal(err)
	}
	r.wantCounts(want{Authorize: 2, Code: 2, Register: 1})
}
