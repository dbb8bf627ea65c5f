package upstream_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// flapping is a network with one server that is there or not, as the test says. It
// notes when it was asked for: a connection begins with server/discover.
type flapping struct {
	mu    sync.Mutex
	there bool
	asked []time.Time
	open  []*io.PipeWriter // streams
}

func (f *flapping) set(there bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.there = there
	for _, stream := range f.open {
		_ = stream.CloseWithError(net.ErrClosed)
	}
	f.open = nil
}

// attempts takes the times at which it was asked for since the last time.
func (f *flapping) attempts() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := f.asked
	f.asked = nil
	return taken
}

func (f *flapping) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	m, err := jsonrpc.Decode(body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Method == "server/discover" {
		f.asked = append(f.asked, time.Now())
	}
	if !f.there {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	answer := func(kind string, body io.ReadCloser) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {kind}}, Body: body, Request: request,
			ContentLength: -1}, nil
	}
	switch m.Method {
	case "subscriptions/listen":
		stream, end := io.Pipe()
		f.open = append(f.open, end)
		return answer("text/event-stream", stream)
	case "server/discover":
		return answer("application/json", io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}}`)))
	}
	return answer("application/json", io.NopCloser(strings.NewReader(`{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"tools":[]}}`)))
}

// A server that is not there is tried again after pauses that grow to a minute and are
// not the same each time, for ever. One that was there for long is tried again soon, one
// that is there for a moment at a time is not. No login begins by that.
func TestPausesGrowUntilAConnectionLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flapping{}
		u := f.serve(t)
		nominal := func(n int) float64 { return min(0.5*math.Pow(2, float64(n)), 60) }
		exact := 0
		check := func(begin time.Time, attempts []time.Time, first int) {
			t.Helper()
			for i, at := range attempts {
				pause, want := at.Sub(begin).Seconds(), nominal(first+i)
				if pause < 0.49*want || pause > 1.51*want {
					t.Errorf("attempt %d came after %.2f s, and not after about %.2f s", first+i+1, pause, want)
				}
				if math.Abs(pause-want) < 0.001*want {
					exact++
				}
				begin = at
			}
		}
		time.Sleep(time.Hour)
		attempts := f.attempts()
		check(attempts[0], attempts[1:], 0)
		if len(attempts) < 45 || exact > 5 {
			t.Errorf("in an hour it was tried %d times, %d times after exactly the pause", len(attempts), exact)
		}

		f.set(true)
		u.awaitState(t, states.Connected)
		time.Sleep(2 * time.Minute)
		f.set(false)
		f.attempts()
		lost := u.awaitState(t, states.BackingOff)
		time.Sleep(20 * time.Second)
		attempts = f.attempts()
		check(lost, attempts, 0)
		if len(attempts) < 4 {
			t.Errorf("after a connection that lasted it was tried %d times in 20 s", len(attempts))
		}

		// There for a moment at each attempt.
		for n := len(attempts); n < 9; n++ {
			f.set(true)
			u.awaitState(t, states.Connected)
			f.set(false)
			f.attempts()
			lost := u.awaitState(t, states.BackingOff)
			if pause := u.Snapshot().Data.RetryAt.Sub(lost).Seconds(); pause < 0.49*nominal(n) {
				t.Errorf("a connection that broke at once is made again after %.2f s, for the time %d", pause, n+1)
			}
			synctest.Wait()
		}
		if state := u.Snapshot().Region(states.Credential).State; state != states.Anonymous {
			t.Errorf("the credential is %s", state)
		}
	})
}

// bubbled is an upstream in a bubble of time.
type bubbled struct{ *upstream.Upstream }

// serve starts an upstream behind the network.
func (f *flapping) serve(t *testing.T) bubbled {
	u := serveOver(t, f)
	t.Cleanup(func() { f.set(false) })
	return u
}

// serveOver starts an upstream behind a network.
func serveOver(t *testing.T, network http.RoundTripper) bubbled {
	manager, _ := managed(t, network, slog.New(slog.DiscardHandler))
	if err := manager.Apply(t.Context(), []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: "http://127.0.0.1:1/mcp"}},
		true); err != nil {
		t.Fatal(err)
	}
	u, err := manager.Get("u")
	if err != nil {
		t.Fatal(err)
	}
	return bubbled{u}
}

// managed is a manager without upstreams over a network, and its store. Their journals are
// replayed in the end.
func managed(t *testing.T, network http.RoundTripper, logger *slog.Logger,
	changes ...func(*upstream.Environment)) (*upstream.Manager, *store.Store) {
	path := filepath.Join(t.TempDir(), "store.db")
	kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key")})
	if err != nil {
		t.Fatal(err)
	}
	listener := callback.NewServer(logger)
	environment := &upstream.Environment{Store: kept, Callback: listener, Authorization: oauth.Clients(), Network: network, Logger: logger,
		Version: "test"}
	for _, change := range changes {
		change(environment)
	}
	manager := upstream.NewManager(context.Background(), environment)
	t.Cleanup(func() {
		manager.Close()
		listener.Close()
		journals.CheckStore(t, kept)
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return manager, kept
}

// awaitState waits for a state of the connection, and returns since when it lasts.
func (u bubbled) awaitState(t *testing.T, state states.State) time.Time {
	t.Helper()
	s, err := u.Machine().Wait(t.Context(), func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == state })
	if err != nil {
		t.Fatal(err)
	}
	return s.Region(states.Connection).Since
}
