package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/admin"
	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// world is a proxy with one upstream, "github", that can be started, stopped, and
// looked into with statectl's commands.
type world struct {
	*testing.T
	dir    string
	server *oauthserver.Server
	// pages are the addresses that the proxy opened in the browser.
	pages chan string
	// replay takes what is replayed in the end.
	replay func(fsm.Entry)
	// entries counts what the journal should hold.
	entries atomic.Int64
	// streams are the followers' that are open, followers those that have begun: they
	// ask where the upstreams are as soon as their stream is open.
	streams, followers atomic.Int64
	// questions counts who asked where the upstreams are; the proxy ends in the middle
	// of the one that is numbered dies.
	questions, dies atomic.Int64

	instance *instance.Instance
	users    *http.Server
	served   chan struct{}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, oauthserver.Options{AutoApprove: true})
}

func newWorldOf(t *testing.T, o oauthserver.Options) *world {
	t.Helper()
	server, err := oauthserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Sockets have short names.
	dir, err := os.MkdirTemp("", "statectl-")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: dir, server: server, pages: make(chan string, 10)}
	t.Setenv("MCPPROXY_KEY_FILE", filepath.Join(dir, "key"))
	w.replay = journals.Watch(t)
	w.start()
	t.Cleanup(func() {
		w.stop()
		if err := errors.Join(server.Close(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) store() string { return filepath.Join(w.dir, "store.db") }

func (w *world) start() {
	w.Helper()
	i, err := instance.Start(w.Context(), instance.Options{
		StorePath: w.store(), Keys: store.FileKeys(filepath.Join(w.dir, "key")), Connect: true, Logger: slog.New(slog.DiscardHandler),
		Version: "test",
		Configs: []upstream.Config{{Name: "github", Transport: upstream.HTTP, URL: w.server.MCPURL(), Settings: states.DefaultSettings()}},
		Open:    func(_ context.Context, page string) error { w.pages <- page; return nil },
		Observe: func(e fsm.Entry) { w.entries.Add(1); w.replay(e) },
	})
	if err != nil {
		w.Fatal(err)
	}
	listener, err := admin.Listen(filepath.Join(w.dir, "mcpproxy.sock"))
	if err != nil {
		w.Fatal(err)
	}
	w.instance, w.users, w.served = i, &http.Server{Handler: w.counted(admin.Handler(i, "test", admin.Options{})),
		ReadHeaderTimeout: time.Second}, make(chan struct{})
	go func() {
		defer close(w.served)
		_ = w.users.Serve(listener) // ends with stop
	}()
}

// counted counts followers.
func (w *world) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/events":
			w.streams.Add(1)
			defer w.streams.Add(-1)
		case "/v1/upstreams":
			w.followers.Add(w.streams.Load())
			if w.questions.Add(1) == w.dies.Load() {
				_ = w.users.Close() // whose listener and connections are gone is ended
				panic(http.ErrAbortHandler)
			}
		}
		next.ServeHTTP(out, r)
	})
}

func (w *world) stop() {
	w.Helper()
	if w.instance == nil {
		return
	}
	err := w.users.Close()
	<-w.served
	if err := errors.Join(err, w.instance.Close()); err != nil {
		w.Error(err)
	}
	w.instance = nil
}

// await waits until the upstream's machine is as it should be.
func (w *world) await(so func(*transitions.Snapshot) bool) {
	w.Helper()
	u, err := w.instance.Manager.Get("github")
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	if _, err := u.Machine().Wait(ctx, so); err != nil {
		w.Fatalf("%v: %+v", err, u.Snapshot().Regions)
	}
}

func (w *world) awaitPhase(phase states.Phase) {
	w.Helper()
	w.await(func(s *transitions.Snapshot) bool {
		return transitions.PhaseOf(s) == phase
	})
}

// shown waits until the login's page was opened.
func (w *world) shown() {
	w.Helper()
	w.await(func(s *transitions.Snapshot) bool {
		return s.Data.Shown.How != states.NotShown && s.Data.Shown.How != states.Opening
	})
}

// visit is the user's browser: it completes the login whose page was opened.
func (w *world) visit() {
	w.Helper()
	page := <-w.pages
	w.shown()
	response, err := http.Get(page)
	if err != nil {
		w.Fatal(err)
	}
	_ = response.Body.Close()
}

// written waits until the journal, which is on a real disk, has everything that
// happened.
func (w *world) written() {
	w.Helper()
	w.eventually("all that happened in the journal", func() bool {
		entries, err := w.instance.Store.Journal("github", 0)
		if err != nil {
			w.Fatal(err)
		}
		return int64(len(entries)) == w.entries.Load()
	})
}

// run runs a command as a shell would.
func (w *world) run(args ...string) (code int, out, errs string) {
	return w.runFor(w.Context(), nil, args...)
}

func (w *world) runFor(ctx context.Context, in io.Reader, args ...string) (code int, out, errs string) {
	var stdout, stderr output.Buffer
	err := w.execute(ctx, in, &stdout, &stderr, args...)
	if err != nil {
		fmt.Fprintln(&stderr, "statectl:", err)
	}
	return exitCode(err), stdout.String(), stderr.String()
}

func (w *world) execute(ctx context.Context, in io.Reader, out, errs *output.Buffer, args ...string) error {
	c := root()
	c.SetIn(in)
	c.SetOut(out)
	c.SetErr(errs)
	c.SetArgs(append(args, "--store", w.store()))
	return c.ExecuteContext(ctx)
}
