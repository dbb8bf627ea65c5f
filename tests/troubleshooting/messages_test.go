package troubleshooting

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcpproxy/admin"
	"mcpproxy/config"
	"mcpproxy/credential"
	"mcpproxy/proxy"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/ui"
	"mcpproxy/upstream"

	"go.etcd.io/bbolt"
)

// Every message that is not one of a symptom says what happened, where, and what to
// do now, in one short paragraph; the list is to be read.
func TestMessages(t *testing.T) {
	for file, provoke := range map[string]func(*testing.T) []message{
		"wishes.txt": wishes, "store.txt": stores, "configuration.txt": configurations, "clients.txt": clients,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			compareMessages(t, file, provoke(t))
		})
	}
}

// wishes are a person's that are refused, and the pages that a browser is shown.
func wishes(t *testing.T) []message {
	var all []message
	s := newScene(t, oauthserver.Options{AutoApprove: true})
	say := func(name string, err error) {
		t.Helper()
		all = append(all, message{name, s.normal(s.fails(err).Error())})
	}
	pages := make(chan string, 2)
	s.browse = func(target string) { pages <- target }
	s.start()
	_, err := s.instance.Manager.Get("nots")
	say("an unknown upstream", err)
	s.awaitReason(states.NeverLoggedIn)
	_, err = s.up.CancelLogin()
	say("a cancel without a login", err)
	_, err = s.up.Retry()
	say("a retry where nothing is tried", err)

	outcome := s.begin()
	back := redirected(t, <-pages)
	all = append(all, message{"a response with a state that nobody gave", s.normal(visit(t, strings.Replace(back, "state=", "state=x", 1)))})
	all = append(all, message{"a response without its parameters", s.normal(visit(t, back[:strings.Index(back, "?")]))})
	all = append(all, message{"a login that is completed", s.normal(visit(t, back))})
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	all = append(all, message{"a login that is completed twice", s.normal(visit(t, back))})

	local := newScene(t, oauthserver.Options{})
	local.config = upstream.Config{Name: "notes", Transport: upstream.Stdio, Command: "mcp-notes-that-is-not-installed"}
	local.start()
	say("a login where there is none", local.up.Login(local.context(), nil))

	say("no proxy is running", admin.NewClient(filepath.Join(t.TempDir(), "mcpproxy.sock")).Get(t.Context(), "/v1/upstreams", nil))
	all[len(all)-1].text = regexp.MustCompile(`/\S+/mcpproxy\.sock`).ReplaceAllString(all[len(all)-1].text, "~/.local/share/mcpproxy/mcpproxy.sock")
	return all
}

// redirected is where the authorization server sends the browser back to.
func redirected(t *testing.T, page string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.Header.Get("Location")
}

var (
	visible = regexp.MustCompile(`(?s)<main>(.*)</main>`)
	markup  = regexp.MustCompile(`(?s)<[^>]*>`)
)

// visit is what the page says at an address.
func visit(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.FieldsFunc(markup.ReplaceAllString(visible.FindString(string(body)), "\n"), func(r rune) bool { return r == '\n' }), " | ")
	return strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&quot;", `"`).Replace(text)
}

// stores are those that cannot be opened.
func stores(t *testing.T) []message {
	var all []message
	open := func(name, path string) {
		t.Helper()
		kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), LockTimeout: 50 * time.Millisecond})
		if err == nil {
			_ = kept.Close()
			t.Fatalf("%s: it opens", name)
		}
		text := strings.ReplaceAll(err.Error(), path, "~/.local/share/mcpproxy/store.db")
		for _, c := range chance {
			text = c.pattern.ReplaceAllString(text, c.instead)
		}
		all = append(all, message{name, text})
	}
	fresh := func() string {
		path := filepath.Join(t.TempDir(), "store.db")
		kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key")})
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	path := filepath.Join(t.TempDir(), "store.db")
	holder, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), Socket: "~/.local/share/mcpproxy/mcpproxy.sock"})
	if err != nil {
		t.Fatal(err)
	}
	open("a store that another process holds", path)
	if err := holder.Close(); err != nil {
		t.Fatal(err)
	}

	path = fresh()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(path, whole[:len(whole)/2])
	open("a torn store", path)

	path = filepath.Join(t.TempDir(), "store.db")
	write(path, bytes.Repeat([]byte("hello"), 9000))
	open("a file that is no store", path)
	path = filepath.Join(t.TempDir(), "store.db")
	write(path, nil)
	open("an empty file", path)

	path = fresh()
	if err := os.Remove(path + ".key"); err != nil {
		t.Fatal(err)
	}
	open("a store without its key", path)
	write(path+".key", []byte("half a k"))
	open("a key file that holds no key", path)
	write(path+".key", bytes.Repeat([]byte("00"), store.KeySize))
	open("the key of another store", path)

	path = fresh()
	newer(t, path)
	open("the store of a newer version", path)
	return all
}

// A damaged record can be erased, as its message says, and then a login begins anew.
func TestADamagedRecordCanBeErased(t *testing.T) {
	t.Parallel()
	s := newScene(t, oauthserver.Options{AutoApprove: true})
	s.start()
	s.login()
	s.stop()
	s.damage()
	s.start()
	s.awaitReason(states.StoreCorrupt)
	if err := s.up.Logout(s.context()); err != nil {
		t.Fatal(err)
	}
	s.login()
}

// newer makes the schema's version one that is not known.
func newer(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("mcpproxy")).Put([]byte("schema"), binary.BigEndian.AppendUint32(nil, 99))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
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
		_, err := config.Load(path, func(string) (string, bool) { return "", false })
		if err == nil {
			t.Fatalf("%s: it is taken", c.name)
		}
		all = append(all, message{c.name, strings.ReplaceAll(err.Error(), path, "~/.config/mcpproxy/config.json")})
	}
	path := filepath.Join(t.TempDir(), "config.json")
	all = append(all, message{"removing what is not there", strings.ReplaceAll(config.Remove(path, "nots").Error(), path, "~/.config/mcpproxy/config.json")})
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
		var problem admin.Problem
		if json.Unmarshal([]byte(text), &problem) == nil {
			text = problem.Detail
		}
		all = append(all, message{name, s.normal(text)})
	}
	mcp := "http://127.0.0.1:8930/mcp"
	ask("a client without the token", face.Handler(), http.MethodPost, mcp, func(r *http.Request) { r.Header.Del("Authorization") })
	ask("a client by another name", face.Handler(), http.MethodPost, "http://proxy.example.com/mcp", nil)
	ask("another machine's page", face.Handler(), http.MethodPost, mcp, func(r *http.Request) { r.Header.Set("Origin", "https://page.example.com") })
	ask("a client of an unknown upstream", face.Handler(), http.MethodPost, mcp+"/nots", nil)
	ask("a client of a session that is over", face.Handler(), http.MethodGet, mcp, func(r *http.Request) { r.Header.Set("Mcp-Session-Id", "x") })
	ask("a client of an unknown revision", face.Handler(), http.MethodPost, mcp, func(r *http.Request) { r.Header.Set("Mcp-Protocol-Version", "2019-01-01") })

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
	all = append(all, message{"an open address without a token", err.Error()})
	_, err = proxy.Listen(listener.Addr().String(), token)
	all = append(all, message{"an address that another program has", s.normal(err.Error())})
	_, err = proxy.Listen("8930", token)
	all = append(all, message{"no address", err.Error()})
	return all
}
