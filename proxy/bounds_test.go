package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// holds is an upstream whose calls never end by themselves.
func holds() (a *fake, begun chan struct{}, ended chan error) {
	a, _ = twoUpstreams()
	begun, ended = make(chan struct{}, 100), make(chan error, 100)
	a.answer = func(ctx context.Context, _ relay.Call) (json.RawMessage, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, context.Cause(ctx)
	}
	return a, begun, ended
}

func callNumber(id int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"a__echo"}}`, id)
}

// The calls of clients that are gone are ended at the server; those of a client that
// waits are not. A session may have so many under way and no more (fault C3).
func TestCallsOfClientsThatAreGoneAreEnded(t *testing.T) {
	a, begun, ended := holds()
	limits := proxy.Limits{AbandonedAfter: 200 * time.Millisecond, CallsPerSession: 3}
	f := serve(t, proxy.Options{Upstreams: fakes{a}, Limits: limits})
	gone, waits := f.at("").initialize(), f.at("").initialize()
	var connections []net.Conn
	for id := range 3 {
		connections = append(connections, gone.stops(callNumber(id)))
		<-begun
	}
	if _, body := gone.post(callNumber(4)); !strings.Contains(body, "limits.callsPerSession") {
		t.Errorf("a fourth call is answered with %s", body)
	}
	waits.stops(callNumber(1))
	<-begun
	for _, conn := range connections {
		_ = conn.Close()
	}
	for range connections {
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "gone") {
				t.Errorf("a call ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a call of a client that is gone goes on")
		}
	}
	select {
	case err := <-ended:
		t.Errorf("the call of a client that waits ended with %v", err)
	default:
	}
	if _, body := gone.post(`{"jsonrpc":"2.0","id":99,"method":"ping"}`); !strings.Contains(body, `"result":{}`) {
		t.Errorf("the session is over: %s", body)
	}
}

// said is what was logged.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(text)
}

// Where as many sessions are open as there may be, the least recently used idle one
// makes room for each new one, and that is logged; those in use do not (fault C4).
func TestTheLeastRecentlyUsedSessionMakesRoom(t *testing.T) {
	a, begun, _ := holds()
	var log said
	f := serve(t, proxy.Options{Upstreams: fakes{a}, Limits: proxy.Limits{Sessions: 4}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var all []*face
	for range 4 {
		all = append(all, f.at("").initialize())
	}
	all[0].do(http.MethodGet, "") // listens
	all[1].stops(callNumber(1))   // calls
	<-begun
	all[2].call("ping", "{}") // was used after the fourth
	f.at("").initialize()
	for i, want := range []string{"", "", "", "the session is not known"} {
		if i == 1 {
			continue // its call goes on
		}
		if body := all[i].call("ping", "{}"); !strings.Contains(body, want) || want == "" && !strings.Contains(body, `"result":{}`) {
			t.Errorf("session %d answers %s", i+1, body)
		}
	}
	log.mu.Lock()
	if !strings.Contains(log.text.String(), "makes room") {
		t.Errorf("the log says %s", &log.text)
	}
	log.mu.Unlock()
	for range 200 { // a flood
		f.at("").initialize()
	}
	if body := all[0].call("ping", "{}"); !strings.Contains(body, `"result":{}`) {
		t.Errorf("a session that listens made room: %s", body)
	}
}

// Where all sessions are in use, a new client is told so.
func TestSessionsInUseMakeNoRoom(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}, Limits: proxy.Limits{Sessions: 1}})
	f.at("").initialize().do(http.MethodGet, "")
	response := f.do(http.MethodPost, initializeBody)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
}

// A client may hold so many streams open; the oldest ends for one more.
func TestStreamsOfASessionAreBounded(t *testing.T) {
	a, _ := twoUpstreams()
	f := serve(t, proxy.Options{Upstreams: fakes{a}}).initialize()
	first := events(f.do(http.MethodGet, ""))
	for range 8 {
		f.do(http.MethodGet, "")
	}
	if data := first(); data != "" {
		t.Errorf("the first stream says %s", data)
	}
}
