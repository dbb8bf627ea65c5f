package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/upstream"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// rig is a proxy with one upstream, which takes the tokens of an authorization server.
type rig struct {
	*upstream.Upstream
	provider *provider
	user     *user
	config   upstream.Config
	others   []upstream.Config // more upstreams of the same proxy
	path     string            // of the store
	instance *instance.Instance
}

// newRig starts an authorization server, a server that takes its tokens, and a proxy.
func newRig(t *testing.T, under authorizationServer) *rig {
	p := reserveProvider(t)
	resource := protect(t, p, under.scopes)
	options := map[string]any{"resource": resource, "life": tokenLife}
	for name, value := range under.options {
		options[name] = value
	}
	p.start(t, under.command(t), options)
	r := &rig{provider: p, user: newUser(t), path: filepath.Join(t.TempDir(), "store.db"),
		config: upstream.Config{Name: "u", Transport: upstream.HTTP, URL: resource, OAuth: under.oauth, Settings: states.DefaultSettings()}}
	r.start(t, r.user.open)
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *rig) start(t *testing.T, open func(context.Context, string) error) {
	t.Helper()
	i, err := instance.Start(t.Context(), instance.Options{StorePath: r.path, Keys: store.FileKeys(r.path + ".key"),
		Configs: append([]upstream.Config{r.config}, r.others...), Connect: true,
		Open: open, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "test", Observe: journals.Watch(t)})
	if err != nil {
		t.Fatal(err)
	}
	r.instance = i
	if r.Upstream, err = i.Manager.Get(r.config.Name); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) stop(t *testing.T) {
	t.Helper()
	if err := r.instance.Close(); err != nil {
		t.Error(err)
	}
}

// login logs in with the user at the browser; a device's user opens it by themselves.
func (r *rig) login(ctx context.Context) error {
	opened := ""
	return r.Login(ctx, func(p upstream.Progress) {
		if r.config.OAuth.Grant == upstream.DeviceCode && p.URL != opened {
			opened = p.URL
			_ = r.user.open(ctx, opened)
		}
	})
}

// echo calls the tool of the server behind.
func (r *rig) echo(ctx context.Context) error { return echo(ctx, r.Upstream) }

func echo(ctx context.Context, u *upstream.Upstream) error {
	answer, err := u.Call(ctx, relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"echo","arguments":{"text":"hello"}}`)})
	if err == nil && !bytes.Contains(answer, []byte("hello")) {
		return fmt.Errorf("the tool answered %s", answer)
	}
	return err
}

// protect starts an MCP server that asks the authorization server about each token, and
// returns its address.
func protect(t *testing.T, p *provider, scopes []string) string {
	m := server.NewMCPServer("protected", "1")
	m.AddTool(mcp.NewTool("echo", mcp.WithString("text")), func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(r.GetString("text", "")), nil
	})
	behind := server.NewStreamableHTTPServer(m)
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	resource := s.URL + "/mcp"
	mux.HandleFunc("GET /.well-known/oauth-protected-resource/mcp", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"resource": resource, "authorization_servers": []string{p.issuer},
			"scopes_supported": scopes})
	})
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if (scheme != "Bearer" && scheme != "DPoP") || !p.active(t, token) {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	})
	return resource
}

// tokenLife is how long access tokens live, in seconds, or clients are told that they
// do; they are renewed a fifth of it ahead.
const tokenLife = 5

// expired waits until the current access token is over.
func (r *rig) expired() { time.Sleep(time.Until(r.Snapshot().Data.Token.ExpiresAt)) }
