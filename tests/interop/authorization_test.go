package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// tokenLife is how long oidc-provider's access tokens live, in seconds; they are
// renewed a fifth of it ahead.
const tokenLife = 5

// TestAuthorizationServer logs in at an authorization server that nobody here wrote,
// through its own pages, lives on the tokens that it rotates, and gives them back.
func TestAuthorizationServer(t *testing.T) {
	directory := installed(t, []string{"oidc-provider@8.8.1"}, "authorization.mjs")
	provider := reserveProvider(t)
	protected := protect(t, provider.issuer)
	provider.start(t, directory, protected.resource)

	person := newPerson(t)
	u := startUpstream(t, upstream.Config{Name: "u", Transport: upstream.HTTP, URL: protected.resource, Settings: states.DefaultSettings()}, person.open)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := u.Login(ctx, nil); err != nil {
		t.Fatalf("%v\nthe authorization server said:\n%s", err, provider.said())
	}
	echo := func() {
		t.Helper()
		answer, err := u.Call(ctx, relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"echo","arguments":{"text":"hello"}}`)})
		if err != nil || !bytes.Contains(answer, []byte("hello")) {
			t.Fatalf("the call: %s, %v\nthe authorization server said:\n%s", answer, err, provider.said())
		}
	}
	echo()
	first := u.Snapshot().Data.Token
	if !first.HasRefresh() || first.Issuer != provider.issuer || first.Resource != protected.resource {
		t.Fatalf("the token is %+v", upstream.TokenStatusOf(first))
	}

	// Two refreshes: the second one spends what the first one brought.
	for generation := first.Generation + 1; generation <= first.Generation+2; generation++ {
		s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return s.Data.Generation >= generation })
		if err != nil {
			t.Fatalf("no token of the generation %d: %v\nthe authorization server said:\n%s", generation, err, provider.said())
		}
		if s.Data.Token.Refresh == first.Refresh || s.Data.Token.Access == first.Access {
			t.Errorf("the token of the generation %d was not replaced", generation)
		}
		echo()
	}
	if said := provider.said(); strings.Count(said, "refresh_token.consumed") < 2 || strings.Contains(said, "grant.error") || person.pages != 2 {
		t.Errorf("after %d pages the authorization server said:\n%s", person.pages, said)
	}

	last := u.Snapshot().Data.Token
	if !protected.active(t, last.Access.Reveal()) || !protected.active(t, last.Refresh.Reveal()) {
		t.Error("the current tokens are not active")
	}
	if err := u.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	if protected.active(t, last.Access.Reveal()) || protected.active(t, last.Refresh.Reveal()) {
		t.Errorf("the tokens are active after the logout; the authorization server said:\n%s", provider.said())
	}
	if strings.Contains(provider.said(), "revocation.error") {
		t.Errorf("the authorization server said:\n%s", provider.said())
	}
}

func startUpstream(t *testing.T, config upstream.Config, open func(context.Context, string) error) *upstream.Upstream {
	path := filepath.Join(t.TempDir(), "store.db")
	i, err := instance.Start(t.Context(), instance.Options{StorePath: path, Keys: store.FileKeys(path + ".key"), Configs: []upstream.Config{config}, Connect: true,
		Open: open, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test", Observe: journals.Watch(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := i.Manager.Get(config.Name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// provider is the authorization server's process.
type provider struct {
	port, issuer string
	mu           sync.Mutex
	log          bytes.Buffer
}

func (p *provider) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// reserveProvider finds its address, which the resource server has to know first.
func reserveProvider(t *testing.T) *provider {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	_, port, _ := net.SplitHostPort(free.Addr().String())
	return &provider{port: port, issuer: "http://127.0.0.1:" + port}
}

func (p *provider) start(t *testing.T, directory, resource string) {
	c := exec.Command("node", filepath.Join(directory, "authorization.mjs"), p.port, resource, strconv.Itoa(tokenLife))
	c.Env = append(os.Environ(), "NODE_ENV=test")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.log.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if strings.HasPrefix(lines.Text(), "listening") {
				once.Do(func() { close(listening) })
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
		_ = c.Wait()
	})
	select {
	case <-listening:
	case <-ended:
		t.Fatalf("the authorization server ended:\n%s", p.said())
	case <-time.After(30 * time.Second):
		t.Fatalf("the authorization server does not listen:\n%s", p.said())
	}
}

// protected is an MCP server that asks the authorization server about each token
// (RFC 7662).
type protected struct{ issuer, resource string }

func protect(t *testing.T, issuer string) *protected {
	m := server.NewMCPServer("protected", "1")
	m.AddTool(mcp.NewTool("echo", mcp.WithString("text")), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(r.GetString("text", "")), nil
	})
	behind := server.NewStreamableHTTPServer(m)
	p := &protected{issuer: issuer}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"resource": p.resource, "authorization_servers": []string{issuer}, "scopes_supported": []string{"mcp"}})
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || !p.active(t, token) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	p.resource = s.URL + "/mcp"
	return p
}

// active reports whether the authorization server stands by a token for this server.
func (p *protected) active(t *testing.T, token string) bool {
	request, err := http.NewRequest(http.MethodPost, p.issuer+"/token/introspection", strings.NewReader(url.Values{"token": {token}}.Encode()))
	if err != nil {
		t.Error(err)
		return false
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("resource", "of-the-resource-server")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return false
	}
	defer response.Body.Close()
	var answer struct {
		Active   bool   `json:"active"`
		Audience string `json:"aud"`
		Kind     string `json:"token_type"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("introspection: %s %v", response.Status, err)
	}
	return answer.Active && (answer.Audience == p.resource || answer.Kind != "Bearer")
}

// person is somebody at a browser who fills in the authorization server's pages.
type person struct {
	t       *testing.T
	browser *http.Client
	pages   int
	work    sync.WaitGroup
}

func newPerson(t *testing.T) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t, browser: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	t.Cleanup(func() {
		p.work.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	return p
}

// open is a browser.Opener.
func (p *person) open(_ context.Context, target string) error {
	p.work.Go(func() {
		if err := p.complete(target); err != nil {
			p.t.Errorf("at the browser: %v", err)
		}
	})
	return nil
}

var (
	form   = regexp.MustCompile(`<form [^>]*action="([^"]+)" method="post">`)
	prompt = regexp.MustCompile(`name="prompt" value="([a-z]+)"`)
)

// complete answers every form until a page has none.
func (p *person) complete(target string) error {
	response, err := p.browser.Get(target)
	for err == nil {
		page, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		action, kind := form.FindSubmatch(page), prompt.FindSubmatch(page)
		if action == nil || kind == nil {
			if response.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("Logged in to u")) {
				return errors.New("the last page is " + response.Status + " " + string(page))
			}
			return nil
		}
		p.pages++
		fields := url.Values{"prompt": {string(kind[1])}}
		if string(kind[1]) == "login" {
			fields.Set("login", "somebody")
			fields.Set("password", "any")
		}
		response, err = p.browser.PostForm(string(action[1]), fields)
	}
	return err
}
