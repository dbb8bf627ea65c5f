package proxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
	"mcpproxy/relay"

	"github.com/google/go-cmp/cmp"
)

// Behind /mcp the tools of all upstreams have their upstream's name before them;
// behind /mcp/<upstream> names are unchanged. What is not a name stays as it came.
func TestNames(t *testing.T) {
	a, b := twoUpstreams()
	all := serve(t, proxy.Options{Upstreams: fakes{a, b}})
	one := all.at("/b").initialize()
	all.initialize()
	for _, test := range []struct {
		face         *face
		method, want string
	}{
		{all, "tools/list", `{"tools":[{"name":"a__echo","extra":1.0},{"name":"a__only","extra":1.0},{"name":"b__echo","extra":1.0}]}`},
		{all, "prompts/list", `{"prompts":[{"name":"b__greet","extra":1.0}]}`},
		{all, "resources/list", `{"resources":[{"uri":"a://one"}]}`},
		{one, "tools/list", `{"tools":[{"name":"echo","extra":1.0}]}`},
		{one, "prompts/list", `{"prompts":[{"name":"greet","extra":1.0}]}`},
	} {
		if got, want := test.face.call(test.method, "{}"), `{"jsonrpc":"2.0","id":1,"result":`+test.want+`}`; got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.method, got, want)
		}
	}
}

func TestRequestsReachTheirUpstream(t *testing.T) {
	for _, test := range []struct{ method, params, upstream, said string }{
		{"tools/call", `{"name":"b__echo","arguments":{"n":1.50}}`, "b", `tools/call {"name":"echo","arguments":{"n":1.50}}`},
		{"tools/call", `{ "arguments" : {} , "name" : "a__only" }`, "a", `tools/call { "arguments" : {} , "name" : "only" }`},
		{"prompts/get", `{"name":"b__greet"}`, "b", `prompts/get {"name":"greet"}`},
		{"resources/read", `{"uri":"a://one"}`, "a", `resources/read {"uri":"a://one"}`},
		{"resources/read", `{"uri":"b://dir/x/y/x/z"}`, "b", `resources/read {"uri":"b://dir/x/y/x/z"}`},
		{"completion/complete", `{"ref":{"type":"ref/prompt","name":"b__greet"},"argument":{}}`, "b", `completion/complete {"ref":{"type":"ref/prompt","name":"greet"},"argument":{}}`},
	} {
		a, b := twoUpstreams()
		f := serve(t, proxy.Options{Upstreams: fakes{a, b}}).initialize()
		got := f.call(test.method, test.params)
		if !strings.Contains(got, `{"from":"`+test.upstream+`"}`) {
			t.Errorf("%s %s: %s", test.method, test.params, got)
		}
		if said := append(a.said(), b.said()...); !slices.Equal(said, []string{test.said}) {
			t.Errorf("%s %s reached as %q", test.method, test.params, said)
		}
	}
}

// What cannot be carried out is an error of the right code, and no upstream is asked.
func TestRequestsThatReachNobody(t *testing.T) {
	a, b := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a, b}}).initialize()
	for _, test := range []struct {
		method, params string
		code           int
		words          string
	}{
		{"tools/call", `{"name":"echo"}`, jsonrpc.CodeInvalidParams, `unknown name "echo": names here are <upstream>__<name>`},
		{"tools/call", `{"name":"c__echo"}`, jsonrpc.CodeInvalidParams, "unknown name"},
		{"tools/call", `{"name":7}`, jsonrpc.CodeInvalidParams, "the parameter name is missing or no string"},
		{"resources/read", `{"uri":"c://x"}`, jsonrpc.CodeResourceNotFound, "no upstream lists the resource"},
		{"resources/read", `{"uri":"b://dir"}`, jsonrpc.CodeResourceNotFound, "no upstream lists the resource"},
		{"completion/complete", `{}`, jsonrpc.CodeInvalidParams, "the parameter ref is missing"},
		{"tools/list", `{"cursor":"x"}`, jsonrpc.CodeInvalidParams, "is not one of this server"},
		{"anything/else", `{}`, jsonrpc.CodeMethodNotFound, "/mcp/<upstream> passes every method on"},
	} {
		var answer struct{ Error jsonrpc.Error }
		body := f.call(test.method, test.params)
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Error.Code != test.code ||
			!strings.Contains(answer.Error.Message, test.words) {
			t.Errorf("%s %s: %s, want %d and %q", test.method, test.params, body, test.code, test.words)
		}
	}
	if said := append(a.said(), b.said()...); len(said) != 0 {
		t.Errorf("upstreams were asked %q", said)
	}
}

// An upstream's error object and result come through byte for byte.
func TestFidelity(t *testing.T) {
	const odd = `{"z":1.0,"a":12345678901234567890.10,"é":"\u00e9\/","null":null,"nested":{"b":[ 1 , 2 ],"_meta":{"k":1}},"e":1e400}`
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}})
	one := f.at("/a").initialize()
	a.answer = func(_ context.Context, c relay.Call) (json.RawMessage, error) {
		if strings.Contains(string(c.Params), "fail") {
			object := &jsonrpc.Error{}
			return nil, errors.Join(json.Unmarshal([]byte(`{"code":-5,"message":"m","data":`+odd+`,"more":1}`), object), object)
		}
		return json.RawMessage(odd), nil
	}
	params := `{"name":"echo","arguments":` + odd + `,"unknown":` + odd + `}`
	if got := one.call("tools/call", params); got != `{"jsonrpc":"2.0","id":1,"result":`+odd+`}` {
		t.Errorf("the result came as %s", got)
	}
	if said := a.said(); len(said) != 1 || said[0] != "tools/call "+params {
		t.Errorf("the parameters came as %s", said)
	}
	if got := one.call("x/fail", `{"fail":1}`); got != `{"jsonrpc":"2.0","id":1,"error":{"code":-5,"message":"m","data":`+odd+`,"more":1}}` {
		t.Errorf("the error came as %s", got)
	}
	for _, id := range []string{`"a\u0062"`, `-7`, `12345678901234567890`, `""`} {
		if _, body := one.post(`{"jsonrpc":"2.0","id":` + id + `,"method":"ping"}`); body != `{"jsonrpc":"2.0","id":`+id+`,"result":{}}` {
			t.Errorf("the id %s: %s", id, body)
		}
	}
}

func TestLogLevelReachesWhoLogs(t *testing.T) {
	a, b := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a, b}}).initialize()
	f.call("logging/setLevel", `{"level":"debug"}`)
	f.call("tools/call", `{"name":"b__echo"}`)
	if diff := cmp.Diff([]string{`logging/setLevel {"level":"debug"}`}, a.said()); diff != "" {
		t.Error(diff)
	}
	if level := b.calls[0].LogLevel; level != "debug" {
		t.Errorf("the call carries the level %q", level)
	}
}
