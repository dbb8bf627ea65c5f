package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// initializeAs begins a session of one revision.
func (f *face) initializeAs(revision string) *face {
	f.Helper()
	response := f.do(http.MethodPost, strings.Replace(initializeBody, "2025-11-25", revision, 1))
	f.session = response.Header.Get("Mcp-Session-Id")
	return f
}

// A client of 2025-03-26 may put several messages into one, and only such a client.
func TestBatches(t *testing.T) {
	a, _ := twoUpstreams()
	p := serve(t, proxy.Options{Upstreams: fakes{a}})
	old, next := p.at("").initializeAs("2025-03-26"), p.at("").initializeAs("2025-06-18")
	const batch = `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/roots/list_changed"},7,
		{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"a__echo"}},{"jsonrpc":"2.0","id":3,"method":"initialize","params":{}}]`
	for _, test := range []struct {
		name   string
		face   *face
		body   string
		status int
		want   []string // what is in the answer, in this order
	}{
		{"requests and notifications", old, batch, http.StatusOK, []string{`[{"jsonrpc":"2.0","id":1,"result":{}},`, `"id":null,"error":{"code":-32600`, `"id":"two","result":{"from":"a"}`, `"id":3,"error":{"code":-32600`, `]`}},
		{"notifications alone", old, `[{"jsonrpc":"2.0","method":"notifications/initialized"}]`, http.StatusAccepted, nil},
		{"nothing", old, `[]`, http.StatusBadRequest, []string{`{"jsonrpc":"2.0","id":null,"error":{"code":-32600`}},
		{"too many", old, `[1` + strings.Repeat(",1", 100) + `]`, http.StatusBadRequest, []string{"100 are the most"}},
		{"no JSON", old, `[{]`, http.StatusBadRequest, []string{`"code":-32700`}},
		{"a later revision", next, batch, http.StatusBadRequest, []string{`"code":-32600`, "a batch"}},
	} {
		status, body := test.face.post(test.body)
		rest := body
		for _, part := range test.want {
			_, behind, found := strings.Cut(rest, part)
			if rest = behind; !found {
				t.Errorf("%s: %s is not, or not in this place, in %s", test.name, part, body)
			}
		}
		if status != test.status || test.want == nil && body != "" {
			t.Errorf("%s: %d %s", test.name, status, body)
		}
	}
	a.awaitNotified(t, "notifications/roots/list_changed")
}

// What the calls of a batch say, and ask, comes before their answers.
func TestBatchWhoseCallsAsk(t *testing.T) {
	a, _ := twoUpstreams()
	a.answer = func(ctx context.Context, c relay.Call) (json.RawMessage, error) {
		return c.Ask(ctx, "elicitation/create", nil)
	}
	f := serve(t, proxy.Options{Upstreams: fakes{a}}).initializeAs("2025-03-26")
	next := events(f.do(http.MethodPost, `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__only"}},{"jsonrpc":"2.0","id":2,"method":"ping"}]`))
	var question struct{ ID json.RawMessage }
	if err := json.Unmarshal([]byte(next()), &question); err != nil || question.ID == nil {
		t.Fatal(err)
	}
	f.post(`[{"jsonrpc":"2.0","id":` + string(question.ID) + `,"result":{"action":"decline"}}]`)
	if got := next(); got != `[{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}},{"jsonrpc":"2.0","id":2,"result":{}}]` {
		t.Errorf("last came %s", got)
	}
}

func TestBatchesOnStandardStreams(t *testing.T) {
	a, _ := twoUpstreams()
	p := proxy.New(proxy.Options{Upstreams: fakes{a}})
	defer p.Close()
	in, input := io.Pipe()
	output, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- p.ServeStdio(t.Context(), "", in, out) }()
	answers := bufio.NewScanner(output)
	for _, exchange := range []struct{ say, hear string }{
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, `"code":-32600`},
		{strings.Replace(initializeBody, "2025-11-25", "2025-03-26", 1), `"protocolVersion":"2025-03-26"`},
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`, `[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]`},
		{`[]`, `"code":-32600`},
	} {
		if _, err := io.WriteString(input, exchange.say+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || !strings.Contains(answers.Text(), exchange.hear) {
			t.Errorf("%s is answered with %s", exchange.say, answers.Text())
		}
	}
	_ = input.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
