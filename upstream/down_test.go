package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/oauth"
)

// downs are upstreams that are down, over a network that counts.
type downs struct {
	*upstream.Manager
	kept   *store.Store
	silent bool // nothing is answered

	mu       sync.Mutex
	attempts []time.Time
	byHost   map[string]int
	log      bytes.Buffer
}

func (d *downs) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	d.attempts = append(d.attempts, time.Now())
	d.byHost[r.URL.Host]++
	d.mu.Unlock()
	if d.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return nil, fmt.Errorf("dial tcp 127.0.0.1:%d: connection refused", rand.N(30_000))
}

func (d *downs) Write(line []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(line)
}

// count is how many attempts have been made.
func (d *downs) count(host string) (all, at int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.attempts), d.byHost[host]
}

func configuredDown(n int) (all []upstream.Config) {
	for i := range n {
		all = append(all, upstream.Config{Name: fmt.Sprintf("u%04d", i), Transport: upstream.HTTP, URL: fmt.Sprintf("http://h%04d/mcp", i)})
	}
	return all
}

func serveDown(t *testing.T, n int, silent bool) *downs {
	d := &downs{byHost: map[string]int{}, silent: silent}
	d.Manager, d.kept = managed(t, d, slog.New(slog.NewTextHandler(d, nil)))
	if err := d.Apply(t.Context(), configuredDown(n), true); err != nil {
		t.Fatal(err)
	}
	return d
}

// A thousand upstreams that are down are tried within a budget for all together, each in
// its turn; what repeats is one entry with a count, in the journal and not in the log; one
// that goes down beside them is tried again soon, and a call or a user at once
// (fault J12).
func TestAThousandThatAreDownCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		d := serveDown(t, n, false)
		time.Sleep(30 * time.Minute)
		before, _ := d.count("")
		d.mu.Lock()
		logged := d.log.Len()
		d.mu.Unlock()
		commits := d.kept.Commits()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		after, _ := d.count("")
		if each := float64(after-before) / n; each < 9 || each > 27 { // 20 a second are 18
			t.Errorf("%.1f attempts at each upstream in half an hour", each)
		}
		for i := range n {
			if _, at := d.count(fmt.Sprintf("h%04d", i)); at < 15 || at > 80 {
				t.Errorf("upstream %d was tried %d times in an hour", i, at)
			}
		}
		d.mu.Lock()
		if d.log.Len() != logged || logged > 1000*n {
			t.Errorf("%d bytes were logged in the first half hour, and then %d", logged, d.log.Len()-logged)
		}
		d.mu.Unlock()
		if written := d.kept.Commits() - commits; written > 6*n {
			t.Errorf("%d writes in half an hour", written)
		}
		u, err := d.Get("u0007")
		if err != nil {
			t.Fatal(err)
		}
		d.wantsFolded(t, u)
		d.wantsAtOnce(t, u)
		d.wantsSoon(t, n)
	})
}

// wantsFolded wants a journal that is short and says how often the upstream was tried.
func (d *downs) wantsFolded(t *testing.T, u *upstream.Upstream) {
	t.Helper()
	lines, err := u.Journal(0)
	if err != nil || len(lines) > 25 {
		t.Errorf("%d lines in the journal, %v", len(lines), err)
	}
	var attempts int
	for e := range fsm.Unfold(journals.Decoded(t, lines)) {
		if e.Event == string(transitions.TransportFailed) {
			attempts++
		}
	}
	if _, tried := d.count("h" + strings.TrimPrefix(u.Name(), "u")); attempts != tried {
		t.Errorf("the journal stands for %d attempts, and %d were made", attempts, tried)
	}
}

// wantsAtOnce wants an attempt for a call, and one for a user.
func (d *downs) wantsAtOnce(t *testing.T, u *upstream.Upstream) {
	t.Helper()
	host := "h" + strings.TrimPrefix(u.Name(), "u")
	for now := u.Snapshot(); time.Since(now.Region(states.Connection).Since) < 3*time.Second; now = u.Snapshot() {
		time.Sleep(time.Second)
	}
	_, before := d.count(host)
	begun := time.Now()
	_, err := u.Call(t.Context(), relay.Call{Method: "tools/list"})
	if _, after := d.count(host); after == before || !errors.Is(err, relay.ErrNotReady) || time.Since(begun) > 2*time.Second {
		t.Errorf("a call was answered %v after %s, and %d attempts were made for it", err, time.Since(begun), after-before)
	}
	if _, err := u.Connect(fsm.Person); err != nil {
		t.Error(err)
	}
	_, before = d.count(host)
	time.Sleep(time.Second)
	if _, after := d.count(host); after == before {
		t.Error("nothing was tried for the user")
	}
}

// wantsSoon wants several attempts in the first minute of an upstream that goes down beside
// the others.
func (d *downs) wantsSoon(t *testing.T, n int) {
	t.Helper()
	if err := d.Apply(t.Context(), configuredDown(n+1), true); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
	if _, at := d.count(fmt.Sprintf("h%04d", n)); at < 6 {
		t.Errorf("a newcomer was tried %d times in a minute", at)
	}
}

// One that a call waits for comes before the thousands that wait for their turn, where
// nothing answers.
func TestACallComesBeforeThoseThatWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := serveDown(t, 2000, true)
		time.Sleep(time.Second)
		u, err := d.Get("u1999")
		if err != nil {
			t.Fatal(err)
		}
		if state := u.Snapshot().Region(states.Connection).State; state != states.ConnectQueued {
			t.Fatalf("it is %s", state)
		}
		begun := time.Now()
		_, err = u.Call(t.Context(), relay.Call{Method: "tools/list"})
		if _, at := d.count("h1999"); at == 0 {
			t.Errorf("it was not tried within %s of the call, which was answered %v", time.Since(begun), err)
		}
	})
}

// forgetful is a server that agrees on a session, and has forgotten it when it is used.
type forgetful struct {
	stream int // status that its own stream is answered with
	mu     sync.Mutex
	opened []time.Time
}

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := func(status int, body string) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Mcp-Session-Id": {"s"}},
			Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: -1}, nil
	}
	if r.Method != http.MethodPost {
		return answer(f.stream, "")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	m, err := jsonrpc.Decode(body)
	if err != nil {
		return nil, err
	}
	switch m.Method {
	case "initialize":
		f.mu.Lock()
		defer f.mu.Unlock()
		f.opened = append(f.opened, time.Now())
		return answer(http.StatusOK, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"f","version":"1"}}}`)
	case "notifications/initialized":
		return answer(http.StatusAccepted, "")
	}
	return answer(http.StatusNotFound, "no such session")
}

// A session that is lost is opened again at once, and one that is lost each time after
// pauses that grow, whoever notices it (fault J12).
func TestASessionThatIsLostAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forgetful{stream: http.StatusMethodNotAllowed}
		u := serveOver(t, f)
		for range 3600 {
			ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _ = u.Call(ctx, relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t"}`), Safe: true})
			stop()
			time.Sleep(10 * time.Second)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		n := len(f.opened)
		if n > 2*3600 || n < 3600 { // one for each call, and now and then one beside
			t.Errorf("%d sessions were opened in ten hours, with a call each ten seconds", n)
		}
		if again := f.opened[1].Sub(f.opened[0]); again > 200*time.Millisecond {
			t.Errorf("the first session was opened again after %s", again)
		}
	})
}

// So it is where the server's own stream notices it, and nobody calls.
func TestASessionThatIsLostWithoutCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forgetful{stream: http.StatusNotFound}
		serveOver(t, f)
		time.Sleep(time.Hour)
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.opened); n < 45 || n > 90 {
			t.Errorf("%d sessions were opened in an hour", n)
		}
	})
}

// Tokens that cannot be obtained, for so many upstreams at once, are asked for within a
// budget too, whatever a single one would be tried (fault J12).
func TestManyTokensThatCannotBeObtainedCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 400
		var asked atomic.Int64
		refuse := func(context.Context, string, string) (net.Conn, error) {
			asked.Add(1)
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		challenges := roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusUnauthorized, Request: r, Body: http.NoBody,
				Header: http.Header{"Www-Authenticate": {`Bearer resource_metadata="http://127.0.0.1:1/.well-known/oauth-protected-resource"`}}}, nil
		})
		manager, _ := managed(t, challenges, slog.New(slog.DiscardHandler), func(e *upstream.Environment) {
			client := oauth.NewHTTPClient(oauth.HTTPOptions{Reach: oauth.Loopback, Dial: refuse})
			e.Authorization = func(oauth.Reach) *http.Client { return client }
		})
		all := configuredDown(n)
		for i := range all {
			all[i].OAuth.Grant, all[i].OAuth.ClientID, all[i].OAuth.ClientSecret = upstream.ClientCredentials, "c", credential.NewSecret("s")
		}
		if err := manager.Apply(t.Context(), all, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		before := asked.Load()
		time.Sleep(10 * time.Minute)
		if each := float64(asked.Load()-before) / n; each < 2 || each > 100 { // each attempt asks several addresses
			t.Errorf("%.0f requests for each upstream in ten minutes", each)
		}
		u, err := manager.Get("u0300")
		if err != nil {
			t.Fatal(err)
		}
		if state := u.Snapshot().Region(states.Credential).State; state != states.GrantBackoff {
			t.Errorf("it is %s", state)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
