package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// rig is a proxy's upstream side with one upstream, "u", in front of the test
// server. The browser is a GET that follows redirects.
type rig struct {
	*testing.T
	server  *oauthserver.Server
	path    string
	config  upstream.Config
	others  []upstream.Config
	opened  atomic.Int64
	stopped func()
	// person stands for the browser; nil is a GET that follows redirects.
	person func(target string)
	// network carries requests to the MCP server; nil is the proxy's own.
	network http.RoundTripper
	// full says that the disk takes no credential.
	full atomic.Bool
	// logs is everything that was logged, of every start.
	logs output.Buffer

	manager   *upstream.Manager
	up        *upstream.Upstream
	callbacks *callback.Server

	mu      sync.Mutex
	journal []fsm.Entry
}

func newRig(t *testing.T, o oauthserver.Options, change func(*upstream.Config)) *rig {
	return newRigOver(t, nil, o, change)
}

func newRigOver(t *testing.T, network http.RoundTripper, o oauthserver.Options, change func(*upstream.Config)) *rig {
	server, err := oauthserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r := &rig{T: t, server: server, network: network, path: filepath.Join(t.TempDir(), "store.db")}
	r.config = upstream.Config{Name: "u", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}
	if change != nil {
		change(&r.config)
	}
	r.start()
	t.Cleanup(func() { r.stopped() })
	return r
}

// start is the start of a proxy's process.
func (r *rig) start() {
	kept, err := store.Open(context.Background(), r.path, store.Options{Keys: store.FileKeys(r.path + ".key"), Staged: r.staged})
	if err != nil {
		r.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(&r.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.callbacks = callback.NewServer(logger)
	begin := len(r.entries())
	r.manager = upstream.NewManager(context.Background(), &upstream.Environment{
		Store: kept, Callback: r.callbacks, Open: r.browse, Authorization: oauth.Clients(), Network: r.network, Logger: logger, Version: "test",
		Observe: func(e fsm.Entry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.journal = append(r.journal, e)
		},
	})
	var once sync.Once
	r.stopped = func() {
		once.Do(func() {
			r.manager.Close()
			if n := r.manager.TurnsOpen(); n > 0 {
				r.Errorf("%d turns were not given back", n)
			}
			r.callbacks.Close()
			journals.Check(r.T, r.entries()[begin:])
			journals.CheckStore(r.T, kept)
			if err := errors.Join(kept.Check(), kept.Close()); err != nil {
				r.Error(err)
			}
		})
	}
	if err := r.manager.Apply(r.Context(), append([]upstream.Config{r.config}, r.others...), true); err != nil {
		r.Fatal(err)
	}
	r.up, err = r.manager.Get("u")
	if err != nil {
		r.Fatal(err)
	}
}

// staged breaks the disk under credentials; the journal goes on.
func (r *rig) staged(write, _ string, stage store.Stage) error {
	if r.full.Load() && write != "Append" && stage == store.Planned {
		return errors.New("no space left on device")
	}
	return nil
}

func (r *rig) restart() {
	r.stopped()
	r.start()
}

func (r *rig) browse(ctx context.Context, target string) error {
	r.opened.Add(1)
	if r.person != nil {
		r.person(target)
		return nil
	}
	go func() {
		// The user's browser: the page of the outcome comes when the login has ended.
		response, err := http.Get(target)
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	return nil
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	r.Cleanup(cancel)
	return ctx
}

func (r *rig) login() {
	r.Helper()
	if err := r.up.Login(r.context(), nil); err != nil {
		r.Fatalf("login: %v", err)
	}
}

var echo = relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"echo","arguments":{"text":"hi"}}`)}

func (r *rig) call() error {
	_, err := r.up.Call(r.context(), echo)
	return err
}

func (r *rig) mustCall() {
	r.Helper()
	if err := r.call(); err != nil {
		r.Fatalf("call: %v", err)
	}
}

func (r *rig) await(what string, condition func(*transitions.Snapshot) bool) {
	r.Helper()
	s, err := r.up.Machine().Wait(r.context(), condition)
	if err != nil {
		r.Fatalf("waiting for %s: %v in %s/%s (%s %s)", what, err, s.Region("connection").State, s.Region("credential").State,
			s.Data.ConnectionError.Text, s.Data.CredentialError.Text)
	}
}

func (r *rig) awaitCredential(state states.State) {
	r.Helper()
	r.await(string(state), func(s *transitions.Snapshot) bool { return s.Region(states.Credential).State == state })
}

// awaitRefused returns the journal's first refusal of the event. Entries are
// delivered in order, which may be a moment after the event was answered.
func (r *rig) awaitRefused(event transitions.Event) fsm.Entry {
	r.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); ; {
		for _, e := range r.entries() {
			if e.Event == string(event) && e.Disposition.Refused() {
				return e
			}
		}
		select {
		case <-poll.C:
		case <-deadline:
			r.Fatalf("no %s was refused", event)
		}
	}
}

func (r *rig) dump() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.journal {
		r.Logf("%s %s %s: %s -> %s [%s] %s %s", e.Time.Format("05.000"), e.Region, e.Event, e.From, e.To, e.Disposition, e.Reason, e.Note)
	}
}

// loginExpired logs in, ends the process and returns when the token has expired
// by the server's clock. Counters and faults are then as new.
func (r *rig) loginExpired() {
	r.Helper()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 1, Grant: "authorization_code", Count: 1})
	r.login()
	r.stopped()
	<-time.NewTimer(1200 * time.Millisecond).C
	r.server.Reset()
}

func (r *rig) setFaults(faults ...oauthserver.Fault) {
	r.Helper()
	if err := r.server.SetFaults(faults...); err != nil {
		r.Fatal(err)
	}
}

// want is the counters that a case must end with; the zero value wants that
// nothing was asked for.
type want struct{ Authorize, Code, Refresh, Reused, Register int }

func (r *rig) wantCounts(w want) {
	r.Helper()
	c := r.server.Counters()
	if got := (want{c.Authorize, c.TokenCode, c.TokenRefresh, c.RefreshReused, c.Register}); got != w {
		r.Errorf("the authorization server counted %+v, want %+v", got, w)
	}
}

// parallel calls n times at once and returns how many failed.
func (r *rig) parallel(n int, do func() error) int {
	var all sync.WaitGroup
	var failed atomic.Int64
	for range n {
		all.Go(func() {
			if err := do(); err != nil {
				failed.Add(1)
				r.Log(err)
			}
		})
	}
	all.Wait()
	return int(failed.Load())
}

// redirected follows an authorization page as far as the address that the
// browser would be sent back to, and does not go there.
func (r *rig) redirected(target string) string {
	r.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(target)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	return response.Header.Get("Location")
}

// visit is a GET; it returns the status and the page that it ends on.
func (r *rig) visit(address string) (int, string) {
	r.Helper()
	response, err := http.Get(address)
	if err != nil {
		r.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		r.Fatal(err)
	}
	return response.StatusCode, string(page)
}

// awaitShown waits until the browser was opened with the page of the login.
func (r *rig) awaitShown() {
	r.Helper()
	r.await("the page to be shown", func(s *transitions.Snapshot) bool {
		return s.Data.Shown.How != states.NotShown && s.Data.Shown.How != states.Opening
	})
}

// openLogin begins a login whose browser goes nowhere, and returns the page's
// address and where the outcome will arrive.
func (r *rig) openLogin() (page string, outcome <-chan error) {
	r.Helper()
	r.person = func(string) {}
	done, shown := make(chan error, 1), make(chan string, 8)
	ctx := r.context()
	go func() { done <- r.up.Login(ctx, func(p upstream.Progress) { shown <- p.URL }) }()
	select {
	case page = <-shown:
	case err := <-done:
		r.Fatalf("the login ended at once: %v", err)
	}
	r.awaitShown()
	return page, done
}
