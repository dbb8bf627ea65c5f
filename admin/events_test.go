package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/feed"
	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// followed is what a reader of the events was given.
type followed struct {
	cancel context.CancelFunc
	done   chan struct{}
	seen   []client.Event
	place  string
	err    error
}

func (w *world) follow(only, after string) *followed {
	ctx, cancel := context.WithCancel(w.Context())
	f := &followed{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.place, f.err = w.client.Follow(ctx, only, after, func(e client.Event) error {
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
	f.place, f.err = w.client.Follow(ctx, only, after, func(e client.Event) error {
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
	response, err := w.plain.Get("http://proxy/v1/events")
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
			return id
		}
	}
	w.Fatal("the stream begins without an id")
	return ""
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
	err := w.client.Stay(t.Context(), client.Follower{
		Opened: func() error {
			said = append(said, "open")
			verb := "disconnect"
			if len(said) > 1 {
				verb = "connect"
			}
			return w.client.Post(t.Context(), "/v1/upstreams/u/"+verb, nil, nil)
		},
		See: func(e client.Event) error {
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
	if got := strings.Join(said, " "); !errors.Is(err, enough) || !strings.HasPrefix(got, "open Disconnect lost open ") ||
		!strings.HasSuffix(got, " Connect") {
		t.Errorf("%s, %v", got, err)
	}
	if err := w.client.Stay(t.Context(), client.Follower{Only: "x"}); problemOf(err).Detail == "" || !strings.Contains(err.Error(), "x") {
		t.Errorf("another name: %v", err)
	}
	if err := client.New(filepath.Join(t.TempDir(), "none")).Stay(t.Context(), client.Follower{}); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("without a proxy: %v", err)
	}
}

// A client that asks for events and does not read them is dropped; publishing goes on
// meanwhile.
func TestASlowReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := feed.New(0)
		here, there := net.Pipe()
		users := &http.Server{Handler: Handler(&instance.Instance{Feed: last}, "test", Options{}), ReadHeaderTimeout: time.Second}
		go func() { _ = users.Serve(&oneConn{conn: there, closed: make(chan struct{})}) }() // ends with Close
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
		_ = users.Close()
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
