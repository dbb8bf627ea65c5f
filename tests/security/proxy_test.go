package security

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mcpproxy/admin"
	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/metrics"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
	"mcpproxy/upstream"
)

const (
	clientToken  = "canary-client-token-93b1"
	headerSecret = "canary-header-secret-5d20"
	clientSecret = "canary-client-secret-77aa"
)

// running is a proxy in front of one upstream, "u", that wants a login.
type running struct {
	*testing.T
	server   *oauthserver.Server
	instance *instance.Instance
	up       *upstream.Upstream
	clients  *httptest.Server
	users    *httptest.Server
	dir      string

	mu sync.Mutex
	// seen are the headers of every request that the upstream's server was sent.
	seen []http.Header
	// look is called at each of them, if it is not nil.
	look func(*http.Request)
	logs output.Buffer
}

// start starts it, with what changes make of its options.
func start(t *testing.T, changes ...func(*instance.Options)) *running {
	t.Helper()
	r := &running{T: t, dir: t.TempDir()}
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{AutoApprove: true, Clients: map[string]string{"known": clientSecret},
		Front: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
				r.mu.Lock()
				r.seen = append(r.seen, request.Header.Clone())
				look := r.look
				r.mu.Unlock()
				if look != nil {
					look(request)
				}
				next.ServeHTTP(w, request)
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	options := instance.Options{
		StorePath: filepath.Join(r.dir, "store.db"), Keys: store.FileKeys(filepath.Join(r.dir, "key")), Connect: true,
		Configs: []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings(),
			Headers: map[string]credential.Secret{"X-Api-Key": credential.NewSecret(headerSecret)},
			OAuth:   upstream.OAuth{ClientID: "known", ClientSecret: credential.NewSecret(clientSecret)}}},
		Open:   func(context.Context, string) error { return errors.New("there is no browser here") },
		Logger: slog.New(slog.NewTextHandler(&r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
		Token: credential.NewSecret(clientToken), Metrics: metrics.New("test"), Observe: journals.Watch(t),
	}
	for _, change := range changes {
		change(&options)
	}
	r.instance, err = instance.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	r.clients = httptest.NewServer(r.instance.Proxy.Handler())
	r.users = httptest.NewServer(admin.Handler(r.instance, "test", admin.Options{}))
	if r.up, err = r.instance.Manager.Get("u"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		r.clients.CloseClientConnections()
		r.clients.Close()
		r.users.Close()
		if err := errors.Join(r.instance.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// ask sends a request as a client does, and returns the answer with its body.
func (r *running) ask(method, address, body string, header ...string) (*http.Response, string) {
	r.Helper()
	request, err := http.NewRequestWithContext(r.Context(), method, address, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+clientToken)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.Fatal(err)
	}
	return response, string(text)
}

const (
	initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`
	echo       = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"}}}`
)

// call makes a client's call in a session of its own.
func (r *running) call() (*http.Response, string) {
	r.Helper()
	begun, text := r.ask(http.MethodPost, r.clients.URL+"/mcp/u", initialize)
	if begun.StatusCode != http.StatusOK {
		r.Fatalf("initialize answers %s %s", begun.Status, text)
	}
	return r.ask(http.MethodPost, r.clients.URL+"/mcp/u", echo, "Mcp-Session-Id", begun.Header.Get("Mcp-Session-Id"))
}
