package troubleshooting

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// limit bounds whatever a scene waits for.
const limit = 20 * time.Second

// scene is a proxy with one upstream, "notes", in front of the test server, and a
// person with a browser.
type scene struct {
	*testing.T
	server *oauthserver.Server
	path   string
	config upstream.Config
	// browse is what the user does with a page; nil completes it.
	browse func(target string)

	instance *instance.Instance
	up       *upstream.Upstream
	stopped  bool
}

func newScene(t *testing.T, o oauthserver.Options) *scene {
	t.Helper()
	server, err := oauthserver.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return &scene{T: t, server: server, path: filepath.Join(t.TempDir(), "store.db"), stopped: true,
		config: upstream.Config{Name: "notes", Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}}
}

// start is the start of a proxy's process.
func (s *scene) start() {
	s.Helper()
	i, err := instance.Start(context.Background(),
		instance.Options{StorePath: s.path, Keys: store.FileKeys(s.path + ".key"), Configs: []upstream.Config{s.config}, Connect: true,
			Open: s.open, Logger: s.logger(), Version: "test", LoginURL: func(name string) string { return "http://127.0.0.1:8930/login/" + name },
			Observe: journals.Watch(s)})
	if err != nil {
		s.Fatal(err)
	}
	s.instance, s.stopped = i, false
	s.Cleanup(s.stop)
	if s.up, err = i.Manager.Get("notes"); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) logger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (s *scene) stop() {
	if s.stopped {
		return
	}
	s.stopped = true
	if err := s.instance.Close(); err != nil {
		s.Error(err)
	}
}

func (s *scene) open(_ context.Context, target string) error {
	if s.browse != nil {
		s.browse(target)
		return nil
	}
	go func() {
		if response, err := http.Get(target); err == nil {
			_, _ = io.Copy(io.Discard, response.Body) // the page of the outcome
			_ = response.Body.Close()
		}
	}()
	return nil
}

func (s *scene) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	s.Cleanup(cancel)
	return ctx
}

func (s *scene) faults(faults ...oauthserver.Fault) {
	s.Helper()
	if err := s.server.SetFaults(faults...); err != nil {
		s.Fatal(err)
	}
}

// login logs in and waits until the upstream serves.
func (s *scene) login() {
	s.Helper()
	if err := s.up.Login(s.context(), nil); err != nil {
		s.Fatal(err)
	}
	s.await(states.Connection, states.Connected)
}

// call calls a tool and returns what the client is told.
func (s *scene) call(tool string) error {
	s.Helper()
	return s.callWithin(s.context(), tool)
}

func (s *scene) callWithin(ctx context.Context, tool string) error {
	s.Helper()
	params, err := json.Marshal(map[string]any{"name": tool, "arguments": map[string]any{"text": "hi"}})
	if err != nil {
		s.Fatal(err)
	}
	_, err = s.up.Call(ctx, relay.Call{Method: "tools/call", Params: params})
	return err
}

func (s *scene) await(region string, state states.State) {
	s.Helper()
	s.awaitThat(string(state), func(now *transitions.Snapshot) bool { return now.Region(region).State == state })
}

func (s *scene) awaitReason(reason states.Reason) {
	s.Helper()
	s.awaitThat(string(reason), func(now *transitions.Snapshot) bool {
		state := now.Region(states.Credential).State
		return now.Data.Reason == reason && (state == states.LoginRequired || state == states.Failed) &&
			now.Region(states.Connection).State == states.AwaitingLogin
	})
}

func (s *scene) awaitThat(what string, condition func(*transitions.Snapshot) bool) {
	s.Helper()
	now, err := s.up.Machine().Wait(s.context(), condition)
	if err != nil {
		s.Fatalf("waiting for %s: %v in %s and %s (%s, %s)", what, err, now.Region(states.Connection).State, now.Region(states.Credential).State,
			now.Data.ConnectionError.Text, now.Data.CredentialError.Text)
	}
}

// expired logs in with a token that lives a second, ends the process and waits
// until the token has expired.
func (s *scene) expired() {
	s.Helper()
	s.faults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: 1, Grant: "authorization_code", Count: 1})
	s.start()
	if err := s.up.Login(s.context(), nil); err != nil {
		s.Fatal(err)
	}
	s.stop()
	<-time.NewTimer(1200 * time.Millisecond).C
	s.server.Reset()
}

// status is that of a moment at which everything is told.
func (s *scene) status(when func(status.Upstream) bool) status.Upstream {
	s.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for ctx := s.context(); ; {
		now := s.up.Status()
		told := when == nil || when(now)
		for _, r := range now.Regions {
			told = told && (r.EnteredBy != nil || r.Epoch == 0) // it has not moved yet
		}
		if told {
			return now
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			s.Fatalf("it does not come to that: %+v", now)
		}
	}
}

// fails returns the error, and reports there is none although there should be one.
func (s *scene) fails(err error) error {
	s.Helper()
	if err == nil {
		s.Fatal("it works")
	}
	return err
}
