package upstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
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
	opened  atomic.Int64
	stopped func()

	manager *upstream.Manager
	up      *upstream.Upstream

	mu      sync.Mutex
	journal []fsm.Entry
}

func newRig(t *testing.T, o oauthserver.Options, change func(*upstream.Config)) *rig {
	server, err := oauthserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	r := &rig{T: t, server: server, path: filepath.Join(t.TempDir(), "store.db")}
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
	kept, err := store.Open(context.Background(), r.path, store.Options{Keys: store.FileKeys(r.path + ".key")})
	if err != nil {
		r.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	listener := callback.NewServer(logger)
	r.manager = upstream.NewManager(context.Background(), &upstream.Environment{
		Store: kept, Callback: listener, Open: r.browse, Authorization: oauth.NewHTTPClient(oauth.HTTPOptions{}), Logger: logger, Version: "test",
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
			listener.Close()
			if err := errors.Join(kept.Check(), kept.Close()); err != nil {
				r.Error(err)
			}
		})
	}
	if err := r.manager.Apply(r.Context(), []upstream.Config{r.config}, true); err != nil {
		r.Fatal(err)
	}
	r.up, err = r.manager.Get("u")
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) restart() {
	r.stopped()
	r.start()
}

func (r *rig) browse(ctx context.Context, target string) error {
	r.opened.Add(1)
	go func() {
		// The person's browser: the page of the outcome comes when the login has ended.
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

func (r *rig) call() error {
	_, err := r.up.Call(r.context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"echo","arguments":{"text":"hi"}}`)})
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
		r.Fatalf("waiting for %s: %v in %s/%s (%s %s)", what, err, s.Region("connection").State, s.Region("credential").State, s.Data.ConnectionError.Text, s.Data.CredentialError.Text)
	}
}

func (r *rig) awaitCredential(state states.State) {
	r.Helper()
	r.await(string(state), func(s *transitions.Snapshot) bool { return s.Region(states.Credential).State == state })
}

func (r *rig) refused(event transitions.Event) (fsm.Entry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.journal {
		if e.Event == string(event) && e.Disposition.Refused() {
			return e, true
		}
	}
	return fsm.Entry{}, false
}

// The first bug: an expired token with a refresh token beside it is refreshed on
// reconnection, with one request and without a browser.
func TestExpiredTokenIsRefreshedAfterRestart(t *testing.T) {
	for name, test := range map[string]struct {
		faults   []oauthserver.Fault
		requests int
	}{
		"at once":   {nil, 1},
		"503 twice": {[]oauthserver.Fault{{Endpoint: "token", Kind: "status", Status: 503, Count: 2, Grant: "refresh_token"}}, 3},
		"slowly":    {[]oauthserver.Fault{{Endpoint: "token", Kind: "delay", Delay: 50, Count: 1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: time.Second}, nil)
			r.login()
			r.stopped()
			expired := time.NewTimer(1200 * time.Millisecond)
			<-expired.C // the server's clock is the real one
			r.server.Reset()
			if err := r.server.SetFaults(test.faults...); err != nil {
				t.Fatal(err)
			}
			r.start()
			r.mustCall()
			c := r.server.Counters()
			if c.TokenRefresh < test.requests || c.Authorize != 0 || c.RefreshReused != 0 {
				t.Errorf("counted %+v, want %d refresh requests and no authorize", c, test.requests)
			}
		})
	}
}

func TestInvalidGrantEndsInALoginRequest(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: time.Second}, nil)
	r.login()
	r.stopped()
	<-time.NewTimer(1200 * time.Millisecond).C
	r.server.Reset()
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"})
	r.start()
	var answer *jsonrpc.Error
	if err := r.call(); !errors.As(err, &answer) || answer.Code != jsonrpc.CodeLoginNeeded {
		t.Fatalf("call = %v", err)
	}
	if c := r.server.Counters(); c.TokenRefresh != 1 || c.Authorize != 0 {
		t.Errorf("counted %+v", c)
	}
}

// The second bug: concurrent logins share one flow, and a late response of an
// older one is refused and named.
func TestConcurrentLoginsShareOneFlow(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.awaitCredential(states.LoginRequired)
	var all sync.WaitGroup
	var failed atomic.Int64
	for range 50 {
		all.Go(func() {
			if r.up.Login(r.context(), nil) != nil {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	c := r.server.Counters()
	if failed.Load() != 0 || c.TokenCode != c.Authorize {
		t.Errorf("%d failed; counted %+v", failed.Load(), c)
	}
	r.mustCall()
}

func TestCallsWaitForTheLoginThatTheyCaused(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	var all sync.WaitGroup
	var failed atomic.Int64
	for i := range 250 {
		all.Go(func() {
			if i%5 == 0 {
				_, _ = r.up.Connect(fsm.Automatic)
				return
			}
			if err := r.call(); err != nil {
				failed.Add(1)
				t.Log(err)
			}
		})
	}
	all.Wait()
	if c := r.server.Counters(); failed.Load() != 0 || c.Authorize != 1 || c.Register != 1 {
		t.Errorf("%d calls failed; counted %+v", failed.Load(), c)
	}
}

func TestManyCallsCauseOneRefresh(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.RevokeAccess()
	r.server.Reset()
	var all sync.WaitGroup
	var failed atomic.Int64
	for range 200 {
		all.Go(func() {
			if err := r.call(); err != nil {
				failed.Add(1)
				t.Log(err)
			}
		})
	}
	all.Wait()
	if c := r.server.Counters(); failed.Load() != 0 || c.TokenRefresh != 1 || c.Authorize != 0 {
		t.Errorf("%d calls failed; counted %+v", failed.Load(), c)
	}
}

// The third bug: the limit holds the machine back, and never a person.
func TestTheBrowserLimitIsForTheMachine(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.Settings.AutomaticLogin = true })
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied", Count: 1})
	r.awaitCredential(states.AwaitingBrowser)
	r.awaitCredential(states.LoginRequired)
	if err := r.call(); err == nil {
		t.Fatal("the call had no login and succeeded")
	}
	if e, ok := r.refused(transitions.LoginProposed); !ok || e.Guard != "browserLimit" {
		t.Errorf("the machine's second login was not held back: %+v", e)
	}
	r.login()
	r.mustCall()
}

func TestLogoutIsFinal(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	if err := r.up.Logout(r.context()); err != nil {
		t.Fatal(err)
	}
	if c := r.server.Counters(); c.Revoke != 1 {
		t.Errorf("counted %+v", c)
	}
	r.server.Reset()
	r.restart()
	if err := r.call(); err == nil {
		t.Error("a call after the logout succeeded")
	}
	r.awaitCredential(states.LoggedOut)
	if c := r.server.Counters(); len(c.MCP) != 0 || c.TokenRefresh+c.Authorize != 0 {
		t.Errorf("after the logout something was sent: %+v", c)
	}
	r.login()
	r.mustCall()
}

func TestServerForgetsTheSession(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, Sessions: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetSessions()
	r.mustCall()
	if c := r.server.Counters(); c.MCP["initialize"] != 1 || c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestServerForgetsTheClient(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.ForgetClients()
	if err := r.call(); err == nil {
		t.Fatal("a call without a grant succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	r.login()
	r.mustCall()
	if c := r.server.Counters(); c.Register != 1 || c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}

func TestFreshTokenThatIsRefusedMakesNoStorm(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "mcp", Kind: "unauthorized"})
	r.login()
	r.awaitCredential(states.LoginRequired)
	if c := r.server.Counters(); c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestLostRefreshAnswerIsKnownAndTriedOnce(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	_ = r.server.SetFaults(oauthserver.Fault{Endpoint: "token", Kind: "cut-after", Count: 1})
	r.server.RevokeAccess()
	if err := r.call(); err == nil {
		t.Fatal("a call with a lost rotation succeeded")
	}
	r.awaitCredential(states.LoginRequired)
	if c := r.server.Counters(); c.TokenRefresh != 2 || c.RefreshReused != 1 {
		t.Errorf("counted %+v", c)
	}
	if reason := r.up.Snapshot().Data.Reason; reason != states.RotationLost {
		t.Errorf("the reason is %q", reason)
	}
	r.login()
	r.mustCall()
}

func TestStepUp(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	admin := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"admin","arguments":{}}`)}
	if _, err := r.up.Call(r.context(), admin); err == nil {
		t.Fatal("the call had too little scope and succeeded")
	}
	r.mustCall() // the token stays in use
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		r.dump()
		t.Fatal(err)
	}
}

func TestSteadyCallsOnShortTokens(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 2 * time.Second}, nil)
	r.login()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		r.mustCall()
	}
	if c := r.server.Counters(); c.TokenRefresh < 2 || c.RefreshReused != 0 || c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}

func (r *rig) dump() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.journal {
		r.Logf("%s %s %s: %s -> %s [%s] %s %s", e.Time.Format("05.000"), e.Region, e.Event, e.From, e.To, e.Disposition, e.Reason, e.Note)
	}
}

func TestRefreshedTokenKnowsItsExpiry(t *testing.T) {
	r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 100 * time.Second}, nil)
	r.login()
	r.mustCall()
	r.server.RevokeAccess()
	r.mustCall()
	token := r.up.Snapshot().Data.Token
	if life := token.ExpiresAt.Sub(token.ObtainedAt); token.Generation != 2 || life != 100*time.Second {
		t.Errorf("generation %d lives %s", token.Generation, life)
	}
}
