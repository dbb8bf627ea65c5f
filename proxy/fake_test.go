package proxy_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// fake is an upstream in memory: it answers as the test says and remembers what
// it was asked.
type fake struct {
	name    string
	catalog relay.Catalog
	answer  func(ctx context.Context, c relay.Call) (json.RawMessage, error)

	mu       sync.Mutex
	calls    []relay.Call
	notified []string
	watcher  func(string, json.RawMessage) // the one who came last
	watchers []func(string, json.RawMessage)
}

// tell tells everybody who watches.
func (f *fake) tell(method, params string) {
	f.mu.Lock()
	all := slices.Clone(f.watchers)
	f.mu.Unlock()
	for _, watcher := range all {
		watcher(method, json.RawMessage(params))
	}
}

func (f *fake) Name() string { return f.name }

func (f *fake) Call(ctx context.Context, c relay.Call) (json.RawMessage, error) {
	f.mu.Lock()
	kept := c
	kept.Params = bytes.Clone(c.Params)
	f.calls = append(f.calls, kept)
	f.mu.Unlock()
	if f.answer == nil {
		return json.RawMessage(`{"from":"` + f.name + `"}`), nil
	}
	return f.answer(ctx, c)
}

func (f *fake) Notify(_ context.Context, method string, _ json.RawMessage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notified = append(f.notified, method)
	return nil
}

func (f *fake) Catalog() *relay.Catalog { return &f.catalog }

func (f *fake) Watch(watcher func(string, json.RawMessage)) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watcher = watcher
	f.watchers = append(f.watchers, watcher)
	return func() {}
}

// said is every call so far, as method and parameters.
func (f *fake) said() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.calls {
		all = append(all, c.Method+" "+string(c.Params))
	}
	return all
}

// await waits until these were all calls.
func (f *fake) await(t *testing.T, calls ...string) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); !slices.Equal(f.said(), calls); {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("the upstream was told %q, want %q", f.said(), calls)
		}
	}
}

// awaitNotified waits until these were all notifications.
func (f *fake) awaitNotified(t *testing.T, methods ...string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		got := slices.Clone(f.notified)
		f.mu.Unlock()
		if slices.Equal(got, methods) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the upstream was notified of %q, want %q", got, methods)
		}
	}
}

type fakes []*fake

func (f fakes) Upstream(name string) (relay.Upstream, bool) {
	i := slices.IndexFunc(f, func(u *fake) bool { return u.name == name })
	if i < 0 {
		return nil, false
	}
	return f[i], true
}

func (f fakes) Names() []string {
	var names []string
	for _, u := range f {
		names = append(names, u.name)
	}
	return names
}

func (f fakes) Watch(func()) func() { return func() {} }

func item(name string) relay.Item {
	return relay.Item{Name: name, Raw: json.RawMessage(fmt.Sprintf(`{"name":%q,"extra":1.0}`, name))}
}

func resource(uri string) relay.Item {
	return relay.Item{Name: uri, Raw: json.RawMessage(fmt.Sprintf(`{"uri":%q}`, uri))}
}

// twoUpstreams have a tool of the same name, and one resource or template each.
func twoUpstreams() (a, b *fake) {
	a = &fake{name: "a", catalog: relay.Catalog{Generation: 1, Capabilities: json.RawMessage(`{"tools":{},"logging":{}}`), ServerInfo: json.RawMessage(`{"name":"server a"}`),
		Tools: []relay.Item{item("echo"), item("only")}, Resources: []relay.Item{resource("a://one")}}}
	b = &fake{name: "b", catalog: relay.Catalog{Generation: 1, Capabilities: json.RawMessage(`{"tools":{}}`), ServerInfo: json.RawMessage(`{"name":"server b"}`),
		Tools: []relay.Item{item("echo")}, Prompts: []relay.Item{item("greet")},
		ResourceTemplates: []relay.Item{resource("b://{kind}/x/{+path}")}}}
	return a, b
}

// face is a proxy on a real socket.
type face struct {
	capabilities string // of the client; empty for elicits
	*testing.T
	url     string
	session string
}

func serve(t *testing.T, o proxy.Options) *face {
	t.Helper()
	p := proxy.New(o)
	server := httptest.NewServer(p.Handler())
	t.Cleanup(func() { p.Close(); server.CloseClientConnections(); server.Close() })
	return &face{T: t, url: server.URL + "/mcp"}
}

// at is the same proxy seen at another path, without a session.
func (f *face) at(path string) *face { return &face{T: f.T, url: f.url + path} }

// do sends one request with the headers given in pairs.
func (f *face) do(method, body string, headers ...string) *http.Response {
	f.Helper()
	request, err := http.NewRequestWithContext(f.Context(), method, f.url, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	if f.session != "" {
		request.Header.Set("Mcp-Session-Id", f.session)
	}
	for i := 0; i < len(headers); i += 2 {
		if request.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// post sends one message and returns the status and the body.
func (f *face) post(body string, headers ...string) (int, string) {
	f.Helper()
	response := f.do(http.MethodPost, body, headers...)
	text, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// elicits are the capabilities of clients that say nothing else.
const elicits = `{"elicitation":{}}`

const initializeBody = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}}`

// initialize begins a session.
func (f *face) initialize() *face {
	f.Helper()
	response := f.do(http.MethodPost, strings.Replace(initializeBody, elicits, cmp.Or(f.capabilities, elicits), 1))
	f.session = response.Header.Get("Mcp-Session-Id")
	if response.StatusCode != http.StatusOK || f.session == "" {
		f.Fatalf("initialize: %s", response.Status)
	}
	return f
}

// call is one request of a session, and the body of its answer.
func (f *face) call(method, params string) string {
	f.Helper()
	_, body := f.post(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params))
	return body
}

// stateless is one request of 2026-07-28.
func (f *face) stateless(method, params string, headers ...string) (int, string) {
	f.Helper()
	meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":` + cmp.Or(f.capabilities, elicits) + `}`
	if params != "{}" {
		meta += ","
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}`, method, meta, params[1:])
	return f.post(body, append([]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method}, headers...)...)
}

// events reads the data of a stream of server-sent events, one by one.
func events(response *http.Response) func() string {
	lines := bufio.NewScanner(response.Body)
	return func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
		}
		return ""
	}
}
