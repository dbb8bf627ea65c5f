package storms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// refreshed is what came of a storm of refreshes.
type refreshed struct {
	failed, refreshes, fsyncs int
	failure                   error
	most                      int64
	took                      time.Duration
	heap                      int64
}

// refresh logs upstreams in, ends the proxy, has every token expire, and starts it
// again with calls to all of them.
func refresh(ctx context.Context, upstreams, calls int) (r refreshed, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	directory, err := os.MkdirTemp("", "storm")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(directory)
	counting := &gauge{}
	server, err := oauthserver.Start(ctx, oauthserver.Options{AutoApprove: true, Front: counting.front})
	if err != nil {
		return r, err
	}
	defer server.Close()
	configs := configured(upstreams, server.MCPURL())
	if err := loggedIn(ctx, directory, configs); err != nil {
		return r, err
	}
	server.Reset()
	counting.most.Store(0)

	watch := watched()
	begin := time.Now()
	p, err := start(ctx, directory, configs)
	if err != nil {
		return r, err
	}
	before := p.kept.Commits()
	var failed atomic.Int64
	var failures sync.Map
	all := p.manager.All()
	each(calls, calls, func(i int) {
		params, _ := json.Marshal(map[string]any{"name": "echo", "arguments": map[string]any{"text": "x"}})
		if _, err := all[i%len(all)].Call(ctx, relay.Call{Method: "tools/call", Params: params}); err != nil {
			failed.Add(1)
			failures.Store(err.Error(), err)
		}
	})
	r.took, r.heap = time.Since(begin), watch.end()
	r.failed, r.refreshes, r.most = int(failed.Load()), server.Counters().TokenRefresh, counting.most.Load()
	failures.Range(func(_, err any) bool { r.failure = err.(error); return false })
	r.fsyncs = 2 * (p.kept.Commits() - before)
	return r, p.close()
}

// loggedIn leaves a store in which every upstream has a token that is over.
func loggedIn(ctx context.Context, directory string, configs []upstream.Config) error {
	p, err := start(ctx, directory, configs)
	if err != nil {
		return err
	}
	all := p.manager.All()
	errs := make([]error, len(all))
	each(len(all), 16, func(i int) { errs[i] = all[i].Login(ctx, nil) })
	if err := errors.Join(append(errs, p.close())...); err != nil {
		return err
	}
	kept, err := open(ctx, directory)
	if err != nil {
		return err
	}
	each(len(all), 64, func(i int) { errs[i] = expire(kept, all[i].Name()) })
	return errors.Join(append(errs, kept.Close())...)
}

func configured(n int, url string) (all []upstream.Config) {
	for i := range n {
		all = append(all, upstream.Config{Name: fmt.Sprintf("u%d", i), Transport: upstream.HTTP, URL: url, Settings: states.DefaultSettings()})
	}
	return all
}

// each does n things, so many at once.
func each(n, atOnce int, do func(int)) {
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(n, atOnce) {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	work.Wait()
}

// gauge is how many requests to the token endpoint are being answered.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			n := g.now.Add(1)
			defer g.now.Add(-1)
			for seen := g.most.Load(); n > seen && !g.most.CompareAndSwap(seen, n); seen = g.most.Load() {
			}
		}
		next.ServeHTTP(w, r)
	})
}
