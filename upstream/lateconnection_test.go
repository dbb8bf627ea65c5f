package upstream_test

import (
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// goodbyes counts the ends of sessions that servers are told.
type goodbyes struct {
	http.RoundTripper
	n atomic.Int64
}

func (g *goodbyes) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodDelete {
		g.n.Add(1)
	}
	return g.RoundTripper.RoundTrip(request)
}

// A connection that is made in the moment in which its upstream is closed, so that no job
// is begun any more that would close it, is closed all the same.
func TestAConnectionThatIsMadeWhileItsUpstreamClosesIsClosed(t *testing.T) {
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{NoAuth: true, Sessions: true})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	network := &goodbyes{RoundTripper: upstream.NewNetwork()}
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	manager, _ := managed(t, network, slog.New(slog.DiscardHandler), func(e *upstream.Environment) {
		e.Observe = func(entry fsm.Entry) {
			if entry.Event == string(transitions.ConnectTurn) { // the attempt runs; what follows is performed later
				once.Do(func() { close(held); <-release })
			}
		}
	})
	if err := manager.Apply(t.Context(), []upstream.Config{{Name: "u", URL: server.MCPURL()}}, false); err != nil {
		t.Fatal(err)
	}
	u, err := manager.Get("u")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = u.Connect(fsm.Process) }() // what becomes of it is waited for
	<-held
	if err := u.AwaitPhase(t.Context(), states.Phase(states.Connected)); err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { manager.Close(); close(closed) }()
	// The runner takes nothing more on once the machine is closed, which is a moment later.
	if err := u.AwaitPhase(t.Context(), states.Phase(states.Closed)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(200 * time.Millisecond):
	}
	close(release)
	<-closed
	if n := network.n.Load(); n != 1 {
		t.Errorf("the server was told the end of its session %d times", n)
	}
}
