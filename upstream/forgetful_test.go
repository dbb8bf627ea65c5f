package upstream_test

import (
	"encoding/json"
	"testing"

	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
)

func TestServerForgetsTheSession(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetSessions()
	r.mustCall()
	if c := r.server.Counters(); c.MCP["initialize"] != 1 || c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestServerForgetsTheClient(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetClients()
	if err := r.call(); err == nil {
		t.Fatal("a call without a grant succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	r.login()
	r.mustCall()
	if c := r.server.Counters(); c.Register != 1 || c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestStepUp(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	admin := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"admin","arguments":{}}`)}
	if _, err := r.up.Call(r.context(), admin); err == nil {
		t.Fatal("the call had too little scope and succeeded")
	}
	r.mustCall() // the token stays in use
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		r.dump()
		t.Fatal(err)
	}
}
