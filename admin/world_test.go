package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	validator "github.com/pb33f/libopenapi-validator"

	"mcpproxy/admin/client"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// world is a running proxy with one upstream, "u", and its socket. Every answer that
// is asked for with it is held to the description.
type world struct {
	*testing.T
	server   *oauthserver.Server
	instance *instance.Instance
	client   *client.Client
	plain    *http.Client // of the same socket
	valid    validator.Validator
	// cut ends all connections of the socket; new ones are served.
	cut func()
	// shown is every body that was answered.
	shown bytes.Buffer
}

func newWorld(t *testing.T, o oauthserver.Options) *world {
	t.Helper()
	server, err := oauthserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Sockets have short names.
	dir, err := os.MkdirTemp("", "admin-")
	if err != nil {
		t.Fatal(err)
	}
	i, err := instance.Start(t.Context(), instance.Options{
		StorePath: filepath.Join(dir, "store.db"), Keys: store.FileKeys(filepath.Join(dir, "key")), Connect: true,
		Logger: slog.New(slog.DiscardHandler), Version: "test",
		Configs: []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}},
		Open:    func(context.Context, string) error { return errors.New("there is none here") },
		Observe: journals.Watch(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	users := &http.Server{Handler: Handler(i, "test", Options{
		Reload: func(context.Context) error { return nil },
		Invite: func() (string, error) { return "http://127.0.0.1:1/ui/open", nil },
	}), ReadHeaderTimeout: time.Second}
	open := &connections{}
	users.ConnState = open.changed
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = users.Serve(listener) // ends with Close
	}()
	w := &world{T: t, server: server, instance: i, client: client.New(socket),
		plain: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}, valid: described(t), cut: open.cut}
	t.Cleanup(func() {
		w.plain.CloseIdleConnections()
		_ = users.Close()
		<-served
		if err := errors.Join(i.Close(), server.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return w
}

// connections are those that are open.
type connections struct {
	mu  sync.Mutex
	all map[net.Conn]bool
}

func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[net.Conn]bool{}
	}
	if c.all[conn] = true; state == http.StateClosed {
		delete(c.all, conn)
	}
}

func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.all {
		_ = conn.Close() // its client is told by that
	}
}

func (w *world) await(what string, so func(*transitions.Snapshot) bool) {
	w.Helper()
	u, err := w.instance.Manager.Get("u")
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	if _, err := u.Machine().Wait(ctx, so); err != nil {
		w.Fatalf("waiting for %s: %v", what, err)
	}
}

func (w *world) awaitCredential(state states.State) {
	w.Helper()
	w.await(string(state), func(s *transitions.Snapshot) bool { return s.Region(states.Credential).State == state })
}

// ask makes a request and holds it and its answer to the description.
func (w *world) ask(method, path string, form url.Values) (status int, body string) {
	w.Helper()
	request := func() *http.Request {
		r, err := http.NewRequestWithContext(w.Context(), method, "http://proxy"+path, strings.NewReader(form.Encode()))
		if err != nil {
			w.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return r
	}
	response, err := w.plain.Do(request())
	if err != nil {
		w.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		w.Fatal(err)
	}
	w.shown.Write(text)
	response.Body = io.NopCloser(bytes.NewReader(text))
	if ok, problems := w.valid.ValidateHttpResponse(request(), response); !ok {
		for _, p := range problems {
			w.Errorf("%s %s answers %s %s, which is not as described: %s %s %v", method, path, response.Status, text, p.Message, p.Reason,
				p.SchemaValidationErrors)
		}
	}
	return response.StatusCode, string(text)
}

func (w *world) snapshot() *transitions.Snapshot {
	w.Helper()
	u, err := w.instance.Manager.Get("u")
	if err != nil {
		w.Fatal(err)
	}
	return u.Snapshot()
}
