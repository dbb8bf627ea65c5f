package troubleshooting

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/admin"
	"mcpproxy/admin/api"
	"mcpproxy/config"
	"mcpproxy/credential"
	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
	"mcpproxy/tests/golden"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/ui"
)

// message is one that a user or a client gets. state is what the upstream is in
// then; it is empty where no upstream has to do with it, and none is running.
type message struct{ name, state, text string }

// Every message that is not one of a symptom says what happened, in which state, and
// what to do now, in one short paragraph; the list is to be read.
func TestMessages(t *testing.T) {
	for file, provoke := range map[string]func(*testing.T) []message{
		"requests.txt": requests, "store.txt": stores, "configuration.txt": configurations, "clients.txt": clients, "commands.txt": commands,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			compareMessages(t, file, provoke(t))
		})
	}
}

// configurations are wrong.
func configurations(t *testing.T) []message {
	var all []message
	for _, c := range []struct{ name, text string }{
		{"no JSON", "{\n\"mcpServers\": {\n"},
		{"another document", `{"servers": {}}`},
		{"a key that is not known", `{"mcpServers": {"notes": {"uri": "https://notes.example.com/mcp"}}}`},
		{"a value of the wrong kind", `{"mcpServers": {"notes": {"url": 7}}}`},
		{"neither address nor command", `{"mcpServers": {"notes": {}}}`},
		{"both address and command", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "command": "mcp-notes"}}}`},
		{"no address", `{"mcpServers": {"notes": {"url": "notes.example.com"}}}`},
		{"an unknown type", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "type": "grpc"}}}`},
		{"a name that cannot be", `{"mcpServers": {"my__notes": {"url": "https://notes.example.com/mcp"}}}`},
		{"a variable that is not set", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "headers": {"Authorization": "Bearer ${NOTES_TOKEN}"}}}}`},
		{"an unknown grant", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "oauth": {"grant": "password"}}}}`},
		{"a grant without its client", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "oauth": {"grant": "client_credentials", "clientSecret": "x"}}}}`},
		{"an unknown way to log in", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "oauth": {"login": "never"}}}}`},
		{"no port", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "oauth": {"callbackPort": 70000}}}}`},
		{"no duration", `{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp", "oauth": {"loginTimeout": "soon"}}}}`},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := config.Load(path, func(string) (string, bool) { return "", false })
		if err == nil {
			err = file.Err()
		}
		if err == nil {
			t.Fatalf("%s: it is taken", c.name)
		}
		all = append(all, message{c.name, "", strings.ReplaceAll(err.Error(), path, "~/.config/mcpproxy/config.json")})
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{"mcpServers": {"notes": {"url": "https://notes.example.com/mcp"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	all = append(all, message{"removing what is not there", "",
		strings.ReplaceAll(config.Remove(path, "nots").Error(), path, "~/.config/mcpproxy/config.json")})
	return all
}

// clients ask in a way that is not served.
func clients(t *testing.T) []message {
	var all []message
	token := credential.NewSecret("a token of sixteen characters")
	s := newScene(t, oauthserver.Options{NoAuth: true})
	s.start()
	face := proxy.New(proxy.Options{Upstreams: s.instance.Manager, Logger: s.logger(), Version: "test", Token: token})
	t.Cleanup(face.Close)
	ask := func(name string, handler http.Handler, method, address string, change func(*http.Request)) {
		t.Helper()
		request := httptest.NewRequest(method, address, strings.NewReader(url.Values{"address": {"notes"}}.Encode()))
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.RemoteAddr = "127.0.0.1:1"
		if change != nil {
			change(request)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code < 400 {
			t.Fatalf("%s: it is served", name)
		}
		text := strings.TrimSpace(answer.Body.String())
		var problem api.Problem
		if json.Unmarshal([]byte(text), &problem) == nil {
			text = problem.Detail
		}
		all = append(all, message{name, "", s.normal(text)})
	}
	mcp := "http://127.0.0.1:8930/mcp"
	ask("a client without the token", face.Handler(), http.MethodPost, mcp, func(r *http.Request) { r.Header.Del("Authorization") })
	ask("a client by another name", face.Handler(), http.MethodPost, "http://proxy.example.com/mcp", nil)
	ask("another machine's page", face.Handler(), http.MethodPost, mcp,
		func(r *http.Request) { r.Header.Set("Origin", "https://page.example.com") })
	ask("a client of an unknown upstream", face.Handler(), http.MethodPost, mcp+"/nots", nil)
	ask("a client of a session that is over", face.Handler(), http.MethodGet, mcp,
		func(r *http.Request) { r.Header.Set("Mcp-Session-Id", "x") })
	ask("a client of an unknown revision", face.Handler(), http.MethodPost, mcp,
		func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "2019-01-01") })

	api := admin.Handler(s.instance, "test", admin.Options{})
	ask("a pasted text that is no address", api, http.MethodPost, "http://proxy/v1/paste", nil)
	ask("a proxy without a configuration file", api, http.MethodPost, "http://proxy/v1/reload", nil)
	page := ui.New(api, "test")
	listener, err := proxy.Listen("127.0.0.1:0", token)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := page.Invite(listener.Addr()); err != nil {
		t.Fatal(err)
	}
	ask("a browser that is not invited", page.Handler(), http.MethodGet, "http://127.0.0.1:8930/ui/api/v1/upstreams", nil)

	_, err = proxy.Listen("0.0.0.0:8930", credential.Secret{})
	all = append(all, message{"an open address without a token", "", err.Error()})
	_, err = proxy.Listen(listener.Addr().String(), token)
	all = append(all, message{"an address that another program has", "", s.normal(err.Error())})
	_, err = proxy.Listen("8930", token)
	all = append(all, message{"no address", "", err.Error()})
	return all
}

// heard is what a user hears of an error: of one that answers a client, what the
// client is sent.
func heard(err error) string {
	var answer *jsonrpc.Error
	if errors.As(err, &answer) {
		return answer.Message
	}
	return err.Error()
}

// nextStep is what a message says of what can be done now.
var nextStep = regexp.MustCompile(`mcpproxy |statectl |oauth\.|--[a-z]|headers\.|configured (are|in)|accepted are|where an? .* has to be|it is one of|neither .* nor a time|give |write |set |use |put |call |is not one of|the document is|[Bb]egin again|can close|remove it|bring the|go on with it|initialize again|there are:? |those are: |needs url|a name has|it begins with|restart it`)

func compareMessages(t *testing.T, file string, all []message) {
	t.Helper()
	var b strings.Builder
	for _, m := range all {
		if strings.Contains(m.text, "\n") || len(m.text) > 800 {
			t.Errorf("%s is not one short paragraph: %q", m.name, m.text)
		}
		if !nextStep.MatchString(m.text) {
			t.Errorf("%s does not say what to do: %q", m.name, m.text)
		}
		if m.state != "" && !regexp.MustCompile(`\b`+m.state+`\b`).MatchString(m.text) {
			t.Errorf("%s does not say that the upstream is in %s: %q", m.name, m.state, m.text)
		}
		name := m.name
		if m.state != "" {
			name += " [" + m.state + "]"
		}
		fmt.Fprintf(&b, "%s\n    %s\n\n", name, m.text)
	}
	golden.Compare(t, "testdata/"+file, b.String())
}
