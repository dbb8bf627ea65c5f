package admin

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
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/feed"
	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"github.com/pb33f/jsonschema/v6"
	validator "github.com/pb33f/libopenapi-validator"
)

// world is a running proxy with one upstream, "u", and its socket. Every answer that
// is asked for with it is held to the description.
type world struct {
	*testing.T
	server   *oauthserver.Server
	instance *instance.Instance
	client   *Client
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
		StorePath: filepath.Join(dir, "store.db"), Keys: store.FileKeys(filepath.Join(dir, "key")), Connect: true, Logger: slog.New(slog.DiscardHandler), Version: "test",
		Configs: []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}},
		Open:    func(context.Context, string) error { return errors.New("there is none here") },
	})
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	people := &http.Server{Handler: Handler(i, "test", Options{
		Reload: func(context.Context) error { return nil }, Invite: func() (string, error) { return "http://127.0.0.1:1/ui/open", nil }}), ReadHeaderTimeout: time.Second}
	open := &connections{}
	people.ConnState = open.changed
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = people.Serve(listener) // ends with Close
	}()
	w := &world{T: t, server: server, instance: i, client: NewClient(socket), valid: described(t), cut: open.cut}
	t.Cleanup(func() {
		w.client.http.CloseIdleConnections()
		_ = people.Close()
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
	response, err := w.client.http.Do(request())
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
			w.Errorf("%s %s answers %s %s, which is not as described: %s %s %v", method, path, response.Status, text, p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
	return response.StatusCode, string(text)
}

// A whole life through the interface: every answer is as described, and none has a
// secret.
func TestEveryAnswerIsAsDescribed(t *testing.T) {
	w := newWorld(t, oauthserver.Options{AutoApprove: true})
	w.awaitCredential(states.LoginRequired)
	events := w.follow("", "")
	const u = "/v1/upstreams/u"
	secrets := map[string]string{}
	for _, step := range []struct {
		method, path string
		form         url.Values
		status       int
		words        string
		then         func(body string)
	}{
		{method: "GET", path: "/v1/version", status: 200, words: `"version":"test"`},
		{method: "GET", path: "/v1/openapi", status: 200, words: `"openapi": "3.1.1"`},
		{method: "POST", path: "/v1/reload", status: 200},
		{method: "POST", path: "/v1/page", status: 200, words: "/ui/open"},
		{method: "GET", path: "/v1/upstreams", status: 200, words: `"phase":"LoginRequired"`},
		{method: "GET", path: u, status: 200, words: `"phase":"LoginRequired"`},
		{method: "GET", path: u + "/journal?limit=2", status: 200, words: `"event":`},
		{method: "GET", path: u + "/journal?limit=-1", status: 400, words: "is not a number from 0 on"},
		{method: "GET", path: "/v1/upstreams/x", status: 404, words: KindUnknown},
		{method: "GET", path: "/v1/events?upstream=x", status: 404, words: KindUnknown},
		{method: "POST", path: u + "/cancel", status: 409, words: KindIllegal},
		{method: "POST", path: u + "/retry", status: 409, words: `"event":"RetryRequested"`},
		{method: "POST", path: "/v1/paste", form: url.Values{"address": {"hello"}}, status: 400, words: "is not the address"},
		{method: "POST", path: u + "/login", form: url.Values{"wait": {"no"}}, status: 200, words: `"disposition":"moved"`, then: func(string) { w.awaitCredential(states.AwaitingBrowser) }},
		{method: "POST", path: u + "/login", form: url.Values{"wait": {"no"}}, status: 200, words: `"disposition":"updated"`},
		{method: "POST", path: u + "/cancel", status: 200, words: `"to":"LoginRequired"`},
		{method: "POST", path: u + "/disconnect", status: 200, words: `"to":"Disconnected"`},
		{method: "POST", path: u + "/connect", status: 200, words: `"disposition":"moved"`, then: func(string) {
			w.awaitCredential(states.LoginRequired)
			w.logIn(secrets)
		}},
		{method: "GET", path: u, status: 200, words: `"generation":1`},
		{method: "POST", path: u + "/logout", status: 200, words: `"to":"LoggingOut"`},
		{method: "POST", path: u + "/logout", status: 200, words: `"disposition":"ignored"`},
	} {
		status, body := w.ask(step.method, step.path, step.form)
		if status != step.status || !strings.Contains(body, step.words) {
			t.Errorf("%s %s %v answers %d %s; want %d with %q", step.method, step.path, step.form, status, body, step.status, step.words)
		}
		if step.then != nil {
			step.then(body)
		}
	}
	events.stop()
	w.shown.WriteString(events.text())
	for name, secret := range secrets {
		if secret == "" || strings.Contains(w.shown.String(), secret) {
			t.Errorf("%s (%d bytes) was shown", name, len(secret))
		}
	}
	if w.shown.Len() < 10_000 {
		t.Errorf("only %d bytes were looked at", w.shown.Len())
	}
}

// logIn logs in as a person whose browser is elsewhere, through the interface, and
// notes the secrets of it.
func (w *world) logIn(secrets map[string]string) {
	w.Helper()
	schema := reportSchema(w.T)
	visited := false
	err := w.client.Login(w.Context(), "u", true, func(r Report) {
		text, err := json.Marshal(r)
		if err != nil {
			w.Fatal(err)
		}
		line, _ := jsonschema.UnmarshalJSON(bytes.NewReader(text)) // it was written just now
		if err := schema.Validate(line); err != nil {
			w.Errorf("the report %s: %v", text, err)
		}
		if visited {
			return
		}
		visited = true
		flow := w.snapshot().Data.Flow
		secrets["the state"], secrets["the verifier"] = flow.State.Reveal(), flow.Verifier.Reveal()
		person := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if code := r.URL.Query().Get("code"); code != "" {
				secrets["the code"] = code
			}
			return nil
		}}
		response, err := person.Get(r.URL)
		if err != nil {
			w.Fatal(err)
		}
		_ = response.Body.Close()
	})
	if err != nil {
		w.Fatal(err)
	}
	token := w.snapshot().Data.Token
	secrets["the access token"], secrets["the refresh token"] = token.Access.Reveal(), token.Refresh.Reveal()
}

func (w *world) snapshot() *transitions.Snapshot {
	w.Helper()
	u, err := w.instance.Manager.Get("u")
	if err != nil {
		w.Fatal(err)
	}
	return u.Snapshot()
}

func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.Components.Schemas["Report"]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("report.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// followed is what a reader of the events was given.
type followed struct {
	cancel context.CancelFunc
	done   chan struct{}
	seen   []Event
	place  string
	err    error
}

func (w *world) follow(only, after string) *followed {
	ctx, cancel := context.WithCancel(w.Context())
	f := &followed{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.place, f.err = w.client.Follow(ctx, only, after, func(e Event) error {
			f.seen = append(f.seen, e)
			return nil
		})
	}()
	return f
}

func (f *followed) stop() {
	f.cancel()
	<-f.done
}

func (f *followed) text() string {
	text, _ := json.Marshal(f.seen) // events always encode
	return string(text)
}

func (f *followed) events() []string {
	var all []string
	for _, e := range f.seen {
		if e.Gap != nil {
			all = append(all, "gap")
			continue
		}
		all = append(all, e.Entry.Event)
	}
	return all
}

// until follows until the event was seen.
func (w *world) until(only, after, event string) *followed {
	w.Helper()
	f := &followed{}
	enough := errors.New("seen")
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	f.place, f.err = w.client.Follow(ctx, only, after, func(e Event) error {
		f.seen = append(f.seen, e)
		if e.Entry != nil && e.Entry.Event == event {
			return enough
		}
		return nil
	})
	if !errors.Is(f.err, enough) {
		w.Fatalf("%s was not seen: %v; seen were %v", event, f.err, f.events())
	}
	return f
}

// place is where a reader that begins now goes on.
func (w *world) place() string {
	w.Helper()
	response, err := w.client.http.Get("http://proxy/v1/events")
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	id, event, err := readEvent(bufio.NewReader(response.Body))
	if err != nil || event != nil || id == "" {
		w.Fatalf("the stream begins with the id %q, %+v, %v", id, event, err)
	}
	return id
}

func TestAReaderOfTheEventsGoesOnWhereItWas(t *testing.T) {
	w := newWorld(t, oauthserver.Options{NoAuth: true})
	w.await("the connection", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
	place := w.place()
	if status, body := w.ask("POST", "/v1/upstreams/u/disconnect", nil); status != 200 {
		t.Fatal(body)
	}
	if status, body := w.ask("POST", "/v1/upstreams/u/cancel", nil); status != 409 {
		t.Fatal(body)
	}
	seen := w.until("", place, "LoginCancelled")
	if got := strings.Join(seen.events(), " "); got != "Disconnect LoginCancelled" {
		t.Errorf("after the place came %s", got)
	}
	if last := seen.seen[1].Entry; last.Disposition != fsm.Illegal {
		t.Errorf("the refused event is %+v", last)
	}
	if seen := w.until("u", "another-7", "LoginCancelled"); seen.seen[0].Gap == nil || seen.seen[0].Gap.Reason == "" {
		t.Errorf("a reader of another process was given %v", seen.events())
	}
}

// Whoever stays is told when the stream is open, also after the proxy was away, and of
// what is missing between.
func TestStayingOutlivesTheStream(t *testing.T) {
	w := newWorld(t, oauthserver.Options{NoAuth: true})
	w.await("the connection", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected })
	var said []string
	enough := errors.New("seen")
	err := w.client.Stay(t.Context(), Follower{
		Opened: func() error {
			said = append(said, "open")
			wish := "disconnect"
			if len(said) > 1 {
				wish = "connect"
			}
			return w.client.Post(t.Context(), "/v1/upstreams/u/"+wish, nil, nil)
		},
		See: func(e Event) error {
			said = append(said, e.Entry.Event)
			switch e.Entry.Event {
			case "Disconnect":
				w.cut()
			case "Connect":
				return enough
			}
			return nil
		},
		Lost: func() { said = append(said, "lost") },
	})
	if got := strings.Join(said, " "); !errors.Is(err, enough) || !strings.HasPrefix(got, "open Disconnect lost open ") || !strings.HasSuffix(got, " Connect") {
		t.Errorf("%s, %v", got, err)
	}
	if err := w.client.Stay(t.Context(), Follower{Only: "x"}); problemOf(err).Detail == "" || !strings.Contains(err.Error(), "x") {
		t.Errorf("another name: %v", err)
	}
	if err := NewClient(filepath.Join(t.TempDir(), "none")).Stay(t.Context(), Follower{}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a proxy: %v", err)
	}
}

// A client that asks for events and does not read them is dropped; publishing goes on
// meanwhile.
func TestASlowReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := feed.New(0)
		here, there := net.Pipe()
		people := &http.Server{Handler: Handler(&instance.Instance{Feed: last}, "test", Options{}), ReadHeaderTimeout: time.Second}
		go func() { _ = people.Serve(&oneConn{conn: there, closed: make(chan struct{})}) }() // ends with Close
		if _, err := here.Write([]byte("GET /v1/events HTTP/1.1\r\nHost: proxy\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for range 100 {
			last.Publish(fsm.Entry{Machine: "u", Event: strings.Repeat("E", 1000)})
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("publishing waited %s", waited)
		}
		time.Sleep(writeLimit + time.Second) // the fake clock's
		synctest.Wait()
		_ = here.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := io.Copy(io.Discard, here); err != nil || n > 50_000 {
			t.Errorf("after %s there came %d bytes and %v", time.Since(begin), n, err)
		}
		_ = people.Close()
	})
}

// oneConn is a listener with one connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error { close(l.closed); return nil }

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{} }
