package callback_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/callback"
)

// flow is a login at a listener; it counts the responses that reach it.
type flow struct {
	*callback.Reservation
	handled, late atomic.Int64
	code          atomic.Value
}

func newServer(t *testing.T) *callback.Server {
	s := callback.NewServer(slog.New(slog.DiscardHandler))
	t.Cleanup(s.Close)
	return s
}

func begin(t *testing.T, s *callback.Server, state string) *flow {
	t.Helper()
	r, err := s.Reserve(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	f := &flow{Reservation: r}
	f.Expect(credential.NewSecret(state), func(_ context.Context, query map[string][]string) callback.Page {
		f.handled.Add(1)
		f.code.Store(strings.Join(query["code"], " "))
		return callback.Page{Status: http.StatusOK, Good: true, Title: "Logged in", Text: "to <" + state + ">"}
	}, func(context.Context, map[string][]string) callback.Page {
		f.late.Add(1)
		return callback.Page{Status: http.StatusConflict, Title: "This login is over"}
	})
	t.Cleanup(f.Release)
	return f
}

// browser follows no redirect and keeps no connection.
func browser(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func send(t *testing.T, method, address string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	response, err := browser(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(page)
}

// What is not the browser's own GET of the redirect address, with the state of an open
// login, reaches no login.
func TestStrangersReachNoFlow(t *testing.T) {
	s := newServer(t)
	f := begin(t, s, "right")
	home := strings.TrimSuffix(f.RedirectURI(), callback.Path)
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	good := f.RedirectURI() + "?code=c&state=right"
	for _, test := range []struct {
		name, method, address string
		change                func(*http.Request)
		status                int
	}{
		{"another host", http.MethodGet, good, host("attacker.example"), http.StatusMisdirectedRequest},
		{"another host with the port", http.MethodGet, good, host(fmt.Sprintf("attacker.example:%d", f.Port())), http.StatusMisdirectedRequest},
		{"the host without the port", http.MethodGet, good, host("127.0.0.1"), http.StatusMisdirectedRequest},
		{"a page's script", http.MethodGet, good, header("Sec-Fetch-Mode", "cors"), http.StatusForbidden},
		{"a page's image", http.MethodGet, good, header("Sec-Fetch-Mode", "no-cors"), http.StatusForbidden},
		{"a wrong state", http.MethodGet, f.RedirectURI() + "?code=c&state=wrong", nil, http.StatusBadRequest},
		{"a state in another case", http.MethodGet, f.RedirectURI() + "?code=c&state=RIGHT", nil, http.StatusBadRequest},
		{"no state", http.MethodGet, f.RedirectURI() + "?code=c", nil, http.StatusBadRequest},
		{"an empty state", http.MethodGet, f.RedirectURI() + "?code=c&state=", nil, http.StatusBadRequest},
		{"the state twice", http.MethodGet, good + "&state=right", nil, http.StatusBadRequest},
		{"a query of 17 KiB", http.MethodGet, good + "&more=" + strings.Repeat("x", 17<<10), nil, http.StatusBadRequest},
		{"HEAD", http.MethodHead, good, nil, http.StatusMethodNotAllowed},
		{"POST", http.MethodPost, good, nil, http.StatusMethodNotAllowed},
		{"OPTIONS", http.MethodOptions, good, nil, http.StatusMethodNotAllowed},
		{"the icon", http.MethodGet, home + "/favicon.ico", nil, http.StatusNotFound},
		{"the root", http.MethodGet, home + "/?code=c&state=right", nil, http.StatusNotFound},
		{"a path below", http.MethodGet, f.RedirectURI() + "/more?code=c&state=right", nil, http.StatusNotFound},
		{"an outcome that there is not", http.MethodGet, f.RedirectURI() + "/outcome/guessed", nil, http.StatusBadRequest},
	} {
		response, page := send(t, test.method, test.address, test.change)
		if response.StatusCode != test.status || response.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q, want %d", test.name, response.StatusCode, response.Header.Get("Location"), test.status)
		}
		if strings.Contains(page, "right") {
			t.Errorf("%s: the page repeats the state: %s", test.name, page)
		}
	}
	long, err := http.NewRequestWithContext(t.Context(), http.MethodGet, good, nil)
	if err != nil {
		t.Fatal(err)
	}
	long.Header.Set("Cookie", strings.Repeat("x", 64<<10))
	if response, err := browser(t).Do(long); err == nil { // the listener may close the connection before all is read
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header of 64 KiB: %d", response.StatusCode)
		}
	}
	if n := f.handled.Load() + f.late.Load(); n != 0 {
		t.Errorf("the login was reached %d times", n)
	}
	if response, _ := send(t, http.MethodGet, good,
		host(fmt.Sprintf("localhost:%d", f.Port()))); response.StatusCode != http.StatusSeeOther || f.code.Load() == "" {
		t.Errorf("the response itself: %d", response.StatusCode)
	}
}

// The response leads to a page at an address without the code in it; the page waits
// for the outcome, can be loaded again, loads nothing and is kept by nobody.
func TestResponseLeadsToItsOutcome(t *testing.T) {
	s := newServer(t)
	f := begin(t, s, "<b>state")
	response, _ := send(t, http.MethodGet, f.RedirectURI()+"?code=c0de&state=%3Cb%3Estate", nil)
	next := response.Header.Get("Location")
	if response.StatusCode != http.StatusSeeOther || !strings.HasPrefix(next, callback.Path+"/outcome/") || strings.Contains(next, "c0de") {
		t.Fatalf("%d to %q", response.StatusCode, next)
	}
	for range 2 {
		response, page := send(t, http.MethodGet, strings.TrimSuffix(f.RedirectURI(), callback.Path)+next, nil)
		if response.StatusCode != http.StatusOK || !strings.Contains(page, "Logged in") || !strings.Contains(page, "&lt;&lt;b&gt;state&gt;") {
			t.Errorf("%d: %s", response.StatusCode, page)
		}
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s: %q", name, got)
			}
		}
		if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("the policy is %q", policy)
		}
	}
	if f.handled.Load() != 1 || f.code.Load() != "c0de" {
		t.Errorf("handled %d times, with %v", f.handled.Load(), f.code.Load())
	}
}

// A response that comes when its login is over is told so, whichever login has the
// listener by then.
func TestLateAnswer(t *testing.T) {
	s := newServer(t)
	over, open := begin(t, s, "over"), begin(t, s, "open")
	if over.Port() != open.Port() {
		t.Fatalf("two logins have the ports %d and %d", over.Port(), open.Port())
	}
	over.Release()
	over.Release()
	response, page := send(t, http.MethodGet, over.RedirectURI()+"?code=c&state=over", nil)
	if response.StatusCode != http.StatusConflict || !strings.Contains(page, "This login is over") {
		t.Errorf("%d: %s", response.StatusCode, page)
	}
	if over.handled.Load() != 0 || over.late.Load() != 1 || open.handled.Load() != 0 {
		t.Errorf("the login that is over was reached %d and %d times, the open one %d times", over.handled.Load(), over.late.Load(),
			open.handled.Load())
	}
}

// A pasted address goes the same way as one that the browser brought.
func TestPastedAddress(t *testing.T) {
	s := newServer(t)
	over, open := begin(t, s, "over"), begin(t, s, "open")
	over.Release()
	for state, want := range map[string]int{"open": http.StatusOK, "over": http.StatusConflict} {
		page, err := s.Pasted(t.Context(), map[string][]string{"state": {state}, "code": {"c"}})
		if err != nil || page.Status != want {
			t.Errorf("%s: %d, %v", state, page.Status, err)
		}
	}
	for name, query := range map[string]map[string][]string{"no state": {"code": {"c"}}, "two states": {"state": {"open", "over"}},
		"an unknown one": {"state": {"wrong"}}} {
		if _, err := s.Pasted(t.Context(), query); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if open.handled.Load() != 1 || over.handled.Load() != 0 {
		t.Errorf("the open login was reached %d times, the other one %d times", open.handled.Load(), over.handled.Load())
	}
}

// The listener is on the loopback address alone, and a port that another program holds
// is named. What the last login leaves is closed with the server.
func TestListenerIsLocalAndEnds(t *testing.T) {
	s := newServer(t)
	f := begin(t, s, "state")
	var busy *callback.BusyError
	other := newServer(t)
	if _, err := other.Reserve(t.Context(), f.Port()); !errors.As(err, &busy) || busy.Port != f.Port() {
		t.Errorf("a port that is held: %v", err)
	}
	s.Close()
	if conn, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", f.Port()), time.Second); err == nil {
		_ = conn.Close()
		t.Error("a closed listener takes connections")
	}
	r, err := other.Reserve(t.Context(), f.Port())
	if err != nil {
		t.Fatalf("the port was not given back: %v", err)
	}
	r.Release()
}

// A program that holds connections open does not keep the browser out for longer than
// it holds them, and cannot hold more than there are.
func TestConnectionsAreBounded(t *testing.T) {
	s := newServer(t)
	f := begin(t, s, "state")
	var held []net.Conn
	defer func() {
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", f.Port()))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, conn)
		return conn
	}
	answered := func(conn net.Conn) bool {
		_, _ = fmt.Fprintf(conn, "GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", f.Port()) // it may be closed already
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return true
	}
	for range 64 {
		if !answered(dial()) { // which keeps the connection, and shows that it was taken
			t.Fatal("a connection within the bound was refused")
		}
	}
	if answered(dial()) {
		t.Error("there is no bound on connections")
	}
}
