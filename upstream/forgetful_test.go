package upstream_test

import (
	"encoding/json"
	"strings"
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

// fault B7's kind at the server's side: a session that is refused in other words than 404 is
// lost all the same, and the upstream does not stay Connected while each call fails. Words of
// servers that users use.
func TestServerForgetsTheSessionInItsOwnWords(t *testing.T) {
	t.Parallel()
	const json, text, stream = "application/json", "text/plain", "text/event-stream"
	for name, answer := range map[string]struct {
		status            int
		contentType, body string
	}{
		"TypeScript SDK, own routing":    {400, json, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}`},
		"TypeScript SDK, restarted":      {400, json, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}`},
		"Python SDK before 1.10":         {400, json, `{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: No valid session ID provided"}}`},
		"not an initialize request":      {400, json, `{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID or not an initialize request"},"id":null}`},
		"mcp-go before 0.44":             {400, text, "Invalid session ID\n"},
		"Session not found under 400":    {400, json, `{"error":"Session not found"}`},
		"unknown header":                 {400, json, `{"error":{"code":-32000,"message":"Not Found: Unknown Mcp-Session-Id header"}, "jsonrpc":"2.0","id":null}`},
		"503":                            {503, json, `{"message":"Session expired"}`},
		"500 with an error object":       {500, json, `{"jsonrpc":"2.0","error":{"code":-32603,"message":"Session terminated"},"id":null}`},
		"410":                            {410, text, ""},
		"200 with an error object":       {200, json, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"missing or invalid Mcp-Session-Id"}}`},
		"200 with an error, on a stream": {200, stream, "event: message\ndata: " + `{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}` + "\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
			r.login()
			r.mustCall()
			r.server.Reset()
			r.server.ForgetSessionsSaying(answer.status, answer.contentType, answer.body)
			r.mustCall()
			r.mustCall()
			if c := r.server.Counters(); c.MCP["initialize"] != 1 || c.MCP["tools/call"] != 3 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

// A tool's own word about a session of its own is the caller's, and takes nothing from the
// connection.
func TestAToolsWordAboutASessionIsTheCallers(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "mcp", Method: "tools/call", Kind: "answer", Status: 400,
		Body: `{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Session not found"}}`, Count: 2})
	for range 2 {
		if err := r.call(); err == nil || !strings.Contains(err.Error(), "Session not found") {
			t.Errorf("the caller is told %v", err)
		}
	}
	r.mustCall()
	if c := r.server.Counters(); c.MCP["initialize"] != 0 || c.MCP["tools/call"] != 3 || c.MCP["ping"] != 2 {
		t.Errorf("counted %+v", c)
	}
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
