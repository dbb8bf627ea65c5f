package upstream_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/oauth"
)

// storm is how long the calls of a storm may take on a machine that is busy.
const storm = 5 * time.Minute

// A thousand calls that wait on one expired token cause one refresh, and none fails.
func TestStormOfCallsOnOneExpiredToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.RevokeAccess()
	ctx, cancel := context.WithTimeout(t.Context(), storm)
	defer cancel()
	if failed := r.parallel(1000, func() error {
		_, err := r.up.Call(ctx, echo)
		return err
	}); failed != 0 {
		t.Errorf("%d of 1000 calls failed", failed)
	}
	r.wantCounts(want{Refresh: 1})
}

// Upstreams whose tokens are refused at the same moment are refreshed once each, no
// more at a time than the limit allows, and no call that met one fails.
func TestStormOfRefreshesKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	const upstreams = 50
	limit := upstream.DefaultLimits().Refreshing.PerHost
	var now, most atomic.Int64
	front := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			if strings.HasSuffix(request.URL.Path, "/token") {
				n := now.Add(1)
				defer now.Add(-1)
				for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				}
			}
			next.ServeHTTP(w, request)
		})
	}
	r := newRig(t, oauthserver.Options{AutoApprove: true, Front: front}, nil)
	r.login()
	for n := range upstreams {
		c := r.config
		c.Name = fmt.Sprintf("u%d", n)
		r.others = append(r.others, c)
	}
	if err := r.manager.Apply(r.context(), append([]upstream.Config{r.config}, r.others...), true); err != nil {
		t.Fatal(err)
	}
	var all []*upstream.Upstream
	for _, c := range r.others {
		u, err := r.manager.Get(c.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Login(r.context(), nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	for _, u := range all {
		if _, err := u.Call(r.context(), echo); err != nil {
			t.Fatal(err)
		}
	}
	r.server.Reset()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "delay", Delay: 20})
	r.server.RevokeAccess()
	most.Store(0)
	var next atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), storm)
	defer cancel()
	if failed := r.parallel(4*upstreams, func() error {
		_, err := all[int(next.Add(1))%upstreams].Call(ctx, echo)
		return err
	}); failed != 0 {
		t.Errorf("%d of %d calls failed", failed, 4*upstreams)
	}
	r.wantCounts(want{Refresh: upstreams})
	if most.Load() > int64(limit) {
		t.Errorf("%d refreshes were under way at once, the limit is %d", most.Load(), limit)
	}
}

// An upstream that is parked costs no goroutine, and waiting for a turn costs none.
func TestParkedUpstreamsCostNoGoroutine(t *testing.T) {
	kept, err := store.Open(t.Context(), t.TempDir()+"/store.db", store.Options{Keys: store.FileKeys(t.TempDir() + "/key")})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	const upstreams = 500
	var configs []upstream.Config
	at := time.Now()
	for n := range upstreams {
		c := upstream.Config{Name: fmt.Sprintf("u%d", n), Transport: upstream.HTTP, URL: "http://127.0.0.1:9/mcp"}
		spent := credential.Token{Generation: 1, Access: credential.NewSecret("a"), ObtainedAt: at.Add(-2 * time.Hour),
			ExpiresAt: at.Add(-time.Hour)}
		if err := kept.SaveToken(c.Name, spent, 0, func() bool { return true }); err != nil {
			t.Fatal(err)
		}
		configs = append(configs, c)
	}
	before := runtime.NumGoroutine()
	manager := upstream.NewManager(context.Background(),
		&upstream.Environment{Store: kept, Authorization: oauth.Clients(), Logger: slog.New(slog.DiscardHandler)})
	defer func() {
		manager.Close()
		journals.CheckStore(t, kept)
	}()
	if err := manager.Apply(t.Context(), configs, true); err != nil {
		t.Fatal(err)
	}
	for _, u := range manager.All() {
		_, err := u.Machine().Wait(t.Context(), func(s *transitions.Snapshot) bool {
			return s.Region(states.Credential).State == states.LoginRequired && s.Region(states.Connection).State == states.AwaitingLogin
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, region := range u.Snapshot().Regions {
			if len(region.Timers) > 0 {
				t.Fatalf("%s has the timers %v", u.Name(), region.Timers)
			}
		}
	}
	// The journal's writer and the last jobs end by themselves; the clock's watcher stays.
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(20 * time.Second); runtime.NumGoroutine() > before+2; {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("%d parked upstreams hold %d goroutines", upstreams, runtime.NumGoroutine()-before)
		}
	}
}
