package upstream_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// changing is a server that speaks one kind of revision and then the other, as one does
// that is replaced by another version.
type changing struct {
	mu        sync.Mutex
	stateless bool
	asked     []string
}

// become changes the era, and forgets what was asked.
func (c *changing) become(stateless bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stateless, c.asked = stateless, nil
}

func (c *changing) handshakes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asked)
}

func (c *changing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	m, invalid := jsonrpc.Decode(body)
	if err != nil || r.Method != http.MethodPost || invalid != nil {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Method == "server/discover" || m.Method == "initialize" {
		c.asked = append(c.asked, m.Method)
	}
	w.Header().Set("Content-Type", "application/json")
	session := r.Header.Get("Mcp-Session-Id") != ""
	switch {
	case !c.stateless && m.Method == "initialize":
		w.Header().Set("Mcp-Session-Id", "session")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}`, m.ID)
	case c.stateless && session:
		http.Error(w, "no such session", http.StatusNotFound)
	case c.stateless && m.Method == "initialize", !c.stateless && !session && m.IsRequest():
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32600,"message":"not in this revision"}}`, m.ID)
	case !m.IsRequest():
		w.WriteHeader(http.StatusAccepted)
	case m.Method == "server/discover":
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}}`, m.ID)
	default:
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","content":[]}}`, m.ID)
	}
}

// A server that is replaced by one of the other era is found again: after its session is
// lost, or once it was out of reach. The era that it spoke last is tried first.
func TestAServerThatChangesItsEraIsFoundAgain(t *testing.T) {
	t.Parallel()
	c := &changing{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	r := newRig(t, oauthserver.Options{}, func(config *upstream.Config) { config.URL = server.URL + "/mcp" })
	r.mustCall()
	if version := r.up.Catalog().ProtocolVersion; version != "2025-11-25" {
		t.Errorf("it speaks %s", version)
	}
	c.become(true)
	r.mustCall()
	if version, asked := r.up.Catalog().ProtocolVersion, c.handshakes(); version != "2026-07-28" ||
		!slices.Equal(asked, []string{"initialize", "server/discover"}) {
		t.Errorf("it speaks %s, and was asked %q", version, asked)
	}
	c.become(false)
	server.CloseClientConnections()
	if _, err := r.up.Disconnect(fsm.Person); err != nil {
		t.Fatal(err)
	}
	if _, err := r.up.Connect(fsm.Person); err != nil {
		t.Fatal(err)
	}
	r.await("Connected", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
	r.mustCall()
	if version, asked := r.up.Catalog().ProtocolVersion, c.handshakes(); version != "2025-11-25" ||
		!slices.Equal(asked, []string{"server/discover", "initialize"}) {
		t.Errorf("it speaks %s, and was asked %q", version, asked)
	}
}

// Each connection reads the lists. Who watches is told of those that have changed since
// the last one, and of no others.
func TestAListThatChangedMeanwhileIsTold(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	tool := "one"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is not whole is no message
		m, err := jsonrpc.Decode(body)
		if err != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		result := map[string]string{"server/discover": `"supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"prompts":{}}`,
			"tools/list": `"tools":[{"name":"` + tool + `"}]`, "prompts/list": `"prompts":[{"name":"p"}]`}[m.Method]
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete",%s}}`, m.ID, result)
	}))
	t.Cleanup(server.Close)
	r := newRig(t, oauthserver.Options{}, func(config *upstream.Config) { config.URL = server.URL + "/mcp" })
	told := make(chan string, 8)
	connected := func() {
		t.Helper()
		r.await("Connected", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
	}
	connected()
	defer r.up.Watch(func(method string, _ json.RawMessage) { told <- method })()
	for _, next := range []string{"one", "another"} {
		mu.Lock()
		tool = next
		mu.Unlock()
		if _, err := r.up.Disconnect(fsm.Person); err != nil {
			t.Fatal(err)
		}
		if _, err := r.up.Connect(fsm.Person); err != nil {
			t.Fatal(err)
		}
		connected()
		if tools := r.up.Catalog().Tools; len(tools) != 1 || tools[0].Name != next {
			t.Errorf("it lists %+v, want %s", tools, next)
		}
	}
	r.stopped()
	close(told)
	var all []string
	for method := range told {
		all = append(all, method)
	}
	if !slices.Equal(all, []string{"notifications/tools/list_changed"}) {
		t.Errorf("told was %q", all)
	}
}
