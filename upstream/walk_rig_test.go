package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
	"mcpproxy/upstream/turns"
)

// walk runs one upstream for each journey, with the real runner, store and machine,
// and holds the upstreams' jobs: the events that jobs, timers and users would report
// are fired here, at the door that they use. Two more upstreams have the only turns, so
// that those of the others come when they are fired, too.
type walk struct {
	*testing.T
	manager *upstream.Manager
	kept    *store.Store
	graph   fsm.Graph
	homes   map[transitions.Event]string
	bound   map[transitions.Event]bool
	release chan struct{}

	mu      sync.Mutex
	held    map[string][]*held
	entries []fsm.Entry
}

// held is a job that was begun, and whether it was told to end.
type held struct {
	region, job string
	epoch       uint64
	ended       bool
}

// journey is a way to a state, and the transition or the guard that it is about.
type journey struct {
	region string
	edge   fsm.GraphEdge
	guard  string
	way    way
}

// way leads a new upstream of a variant to a state.
type way struct {
	variant string
	steps   []step
}

type step struct {
	event  transitions.Event
	change func(*transitions.Input)
}

// Variants of the configuration.
const (
	unattended = "unattended" // a grant without a user
	automatic  = "automatic"  // the machine may open browsers
	unusable   = "unusable"   // an entry that cannot be used
	connects   = "connects"   // the job that connects is not held
)

// ways to each state. The token of Fresh goes with the login that begins there.
var ways = map[string]way{
	"connection Disconnected":       {},
	"connection AwaitingCredential": {"", plain("Connect")},
	"connection AwaitingLogin":      {"", plain("Connect TokenSpent")},
	"connection ConnectQueued":      {"", plain("Connect TokenUsable")},
	"connection Connecting":         {"", plain("Connect TokenUsable ConnectTurn")},
	"connection Connected":          {connects, plain("Connect TokenUsable ConnectTurn")},
	"connection BackingOff":         {"", plain("Connect TokenUsable ConnectTurn TransportFailed")},
	"connection Failed":             {"", plain("Connect TokenUsable ConnectTurn ProtocolFailed")},
	"connection Closed":             {"", plain("ConnectionShutdown")},
	"credential Unloaded":           {},
	"credential LoadingToken":       {"", plain("Connect")},
	"credential NotNeeded":          {"", plain("Connect CredentialNotNeeded")},
	"credential Anonymous":          {"", plain("Connect TokenMissing")},
	"credential Fresh":              {"", plain("Connect TokenUsable")},
	"credential RefreshQueued":      {"", plain("Connect TokenExpired")},
	"credential Refreshing":         {"", plain("Connect TokenExpired RefreshTurn")},
	"credential RefreshBackoff":     {"", plain("Connect TokenExpired RefreshTurn RefreshFailed")},
	"credential RefreshPaused":      {"", plain("Connect TokenExpired RefreshTurn RefreshExhausted")},
	"credential Discovering":        {"", plain("Connect TokenUsable LoginRequested")},
	"credential Registering":        {"", plain("Connect TokenUsable LoginRequested Discovered")},
	"credential AwaitingBrowser":    {"", plain("Connect TokenUsable LoginRequested Discovered Registered")},
	"credential ExchangingCode":     {"", plain("Connect TokenUsable LoginRequested Discovered Registered CodeReceived")},
	"credential AwaitingDevice":     {"", plain("Connect TokenUsable LoginRequested Discovered DeviceCodeIssued")},
	"credential LoginBackoff":       {"", plain("Connect TokenUsable LoginRequested Discovered Registered CodeReceived LoginDelayed")},
	"credential RequestingToken":    {unattended, plain("Connect TokenUsable GrantRenewDue Discovered ClientIdentified")},
	"credential GrantBackoff":       {unattended, plain("Connect TokenUsable GrantRenewDue GrantFailed")},
	"credential LoginRequired":      {"", plain("Connect TokenSpent")},
	"credential LoggingOut":         {"", plain("Connect TokenMissing LogoutRequested")},
	"credential LoggedOut":          {"", plain("Connect TokenMissing LogoutRequested LogoutDone")},
	"credential Failed":             {"", plain("Connect StoreFailed")},
	"credential Closed":             {"", plain("ConnectionShutdown")},
}

// wayOf leads to where the event is a transition of the state: most states are
// reached in one way, some need a variant.
func wayOf(region, state, event string) way {
	w := ways[region+" "+state]
	if event == string(transitions.OptionalLoginEnded) || event == string(transitions.OptionalLoginLapsed) {
		// The login began where the server had not asked for one.
		if state == string(states.RequestingToken) {
			return way{unattended, plain("Connect TokenMissing LoginRequested Discovered ClientIdentified")}
		}
		w.steps = slices.Clone(w.steps)
		w.steps[1].event = transitions.TokenMissing
		return w
	}
	switch state + " " + event {
	case "LoadingToken TokenLapsed":
		return way{"", plain("Connect TokenExpired RefreshTurnOverdue")}
	case "LoginRequired LoginProposed": // which it does by itself on entry, and not after a login of its own
		return way{automatic, []step{{event: transitions.Connect}, {event: transitions.TokenUsable}, {event: transitions.LoginRequested},
			{event: transitions.LoginTimedOut}}}
	case "LoginRequired GrantDue":
		return way{unattended, plain("Connect TokenSpent")}
	case "Fresh LoginProposed":
		return way{automatic, plain("Connect TokenUsable ScopeInsufficient")}
	case "Fresh GrantRenewDue":
		return way{unattended, plain("Connect TokenUsable")}
	case "Registering ClientIdentified":
		return way{unattended, plain("Connect TokenUsable GrantRenewDue Discovered")}
	}
	return w
}

func newWalk(t *testing.T, all []journey) *walk {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	kept, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key")})
	if err != nil {
		t.Fatal(err)
	}
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{NoAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{T: t, kept: kept, graph: transitions.Definition().Graph(), homes: map[transitions.Event]string{},
		bound: map[transitions.Event]bool{}, release: make(chan struct{}), held: map[string][]*held{}}
	for _, region := range w.graph.Regions {
		for _, event := range region.Events {
			w.homes[transitions.Event(event.Name)], w.bound[transitions.Event(event.Name)] = region.Name, event.Bound
		}
	}
	logger := slog.New(slog.DiscardHandler)
	listener := callback.NewServer(logger)
	w.manager = upstream.NewManager(context.Background(),
		&upstream.Environment{Store: kept, Callback: listener, Logger: logger, Version: "walk",
			Limits:        upstream.Limits{Connecting: turns.Limits{Total: 1}, Refreshing: turns.Limits{Total: 1}},
			Open:          func(context.Context, string) error { return nil },
			Authorization: func(oauth.Reach) *http.Client { return &http.Client{Transport: nowhere{}} }, ObserveJob: w.hold, Observe: w.observe})
	t.Cleanup(func() {
		close(w.release)
		w.manager.Close()
		if n := w.manager.TurnsOpen(); n > 0 {
			t.Errorf("%d turns were not given back", n)
		}
		listener.Close()
		journals.CheckAs(t, "walk", w.seen())
		journals.CheckStoreAs(t, kept)
		if err := errors.Join(kept.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	})
	var configs []upstream.Config
	for i, j := range all {
		c := upstream.Config{Name: nameOf(i, j), Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()}
		c.Settings.AutomaticLogin = j.way.variant == automatic
		if j.way.variant == unusable {
			c.Problem = "a variable is not set"
		}
		if j.way.variant == unattended {
			c.OAuth.Grant, c.OAuth.ClientID, c.OAuth.ClientSecret = upstream.ClientCredentials, "machine", credential.NewSecret("of the machine")
		}
		configs = append(configs, c)
	}
	for _, name := range holders {
		configs = append(configs, upstream.Config{Name: name, Transport: upstream.HTTP, URL: server.MCPURL(), Settings: states.DefaultSettings()})
	}
	if err := w.manager.Apply(t.Context(), configs, false); err != nil {
		t.Fatal(err)
	}
	w.lead(holders[0], journey{region: states.Connection, edge: fsm.GraphEdge{From: string(states.Connecting)},
		way: way{"", plain("Connect TokenUsable")}})
	w.lead(holders[1], journey{region: states.Credential, edge: fsm.GraphEdge{From: string(states.Refreshing)},
		way: way{"", plain("Connect TokenExpired")}})
	return w
}

// holders have the only turns to connect and to refresh.
var holders = []string{"a", "b"}

func nameOf(i int, j journey) string {
	if j.way.variant == connects {
		return fmt.Sprintf("%s-%d", connects, i)
	}
	return fmt.Sprint(i)
}

// nowhere is the authorization server of jobs that are let go in the end.
type nowhere struct{}

func (nowhere) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no authorization server")
}

// hold keeps a job from doing anything while its state lasts.
func (w *walk) hold(ctx context.Context, name string, order transitions.Order) (context.Context, func(transitions.Input)) {
	region := states.Credential
	if order.Job == transitions.JobConnect {
		region = states.Connection
	}
	h := &held{region: region, job: order.Job, epoch: order.Epoch}
	w.mu.Lock()
	w.held[name] = append(w.held[name], h)
	w.mu.Unlock()
	if order.Job != transitions.JobConnect || len(name) < len(connects) {
		select {
		case <-ctx.Done():
		case <-w.release:
		}
	}
	return ctx, func(transitions.Input) {
		w.mu.Lock()
		defer w.mu.Unlock()
		h.ended = true
	}
}

func (w *walk) observe(e fsm.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, e)
}

func (w *walk) seen() []fsm.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.entries)
}

func (w *walk) jobs(u *upstream.Upstream) (all []held) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.held[u.Name()] {
		all = append(all, *h)
	}
	return all
}

func (w *walk) jobOf(region, state string) string {
	for _, r := range w.graph.Regions {
		for _, s := range r.States {
			if r.Name == region && s.Name == state && s.Job != transitions.JobWatch { // which nobody observes
				return s.Job
			}
		}
	}
	return ""
}

func (w *walk) stored(u *upstream.Upstream) store.Credential {
	w.Helper()
	stored, err := w.kept.Load(u.Name())
	if err != nil {
		w.Fatal(err)
	}
	return stored
}

// follow leads an upstream to where its journey begins.
func (w *walk) follow(i int, j journey) *upstream.Upstream {
	w.Helper()
	return w.lead(nameOf(i, j), j)
}

func (w *walk) lead(name string, j journey) *upstream.Upstream {
	w.Helper()
	u, err := w.manager.Get(name)
	if err != nil {
		w.Fatal(err)
	}
	for _, s := range j.way.steps {
		if _, err := w.fire(u, s); err != nil {
			w.Fatalf("on the way to %s %s: %v", j.region, j.edge.From, err)
		}
		w.eventually(fmt.Sprintf("the jobs after %s on the way to %s", s.event, j.edge.From), func() bool { return w.settled(u) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return string(s.Region(j.region).State) == j.edge.From })
	if err != nil {
		w.Fatalf("the way to %s %s ended in %s/%s", j.region, j.edge.From, s.Region(states.Connection).State, s.Region(states.Credential).State)
	}
	w.eventually("the jobs on the way to "+j.edge.From, func() bool { return w.settled(u) })
	return u
}

// settled reports whether the jobs of the present states have begun, and all others
// have ended.
func (w *walk) settled(u *upstream.Upstream) bool {
	running := map[held]bool{}
	for _, region := range u.Snapshot().Regions {
		if job := w.jobOf(region.Region, string(region.State)); job != "" {
			running[held{region: region.Region, job: job, epoch: region.Epoch}] = true
		}
	}
	for _, h := range w.jobs(u) {
		if !running[h] && !h.ended {
			return false
		}
		delete(running, h)
	}
	return len(running) == 0
}

func (w *walk) eventually(what string, so func() bool) {
	w.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(end) {
			w.Fatalf("waited without success for %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// fire gives the upstream's machine an event as its job, its timer or a user would.
func (w *walk) fire(u *upstream.Upstream, s step) (transitions.Outcome, error) {
	now := u.Snapshot()
	in := transitions.Input{Event: s.event, Actor: fsm.Person, At: time.Now(), Flow: now.Data.FlowID, Payload: payloadOf(s.event, now)}
	if in.Flow == "" {
		in.Flow = "flow"
	}
	if w.bound[s.event] || s.event == transitions.LoginAbandoned || s.event == transitions.OptionalLoginEnded {
		in.Epoch = now.Region(w.homes[s.event]).Epoch
	}
	if s.change != nil {
		s.change(&in)
	}
	return u.Machine().Fire(in)
}

// payloadOf is what the event carries at that moment.
func payloadOf(event transitions.Event, s *transitions.Snapshot) transitions.Payload {
	now := time.Now()
	p := transitions.Payload{Generation: s.Data.Generation, RetryAt: now.Add(time.Hour), Challenge: states.Challenge{Scopes: []string{"more"}},
		Discovery: &credential.Discovery{}, Flow: &credential.Flow{ID: s.Data.FlowID, Deadline: now.Add(time.Hour)}}
	switch event {
	case transitions.TokenUsable, transitions.TokenExpired, transitions.TokenUncertain, transitions.RefreshUncertain, transitions.Refreshed,
		transitions.CodeExchanged, transitions.TokenGranted:
		p.Token = &credential.Token{Generation: s.Data.Generation + 1, Access: credential.NewSecret("a"), Refresh: credential.NewSecret("r"),
			ObtainedAt: now, ExpiresAt: now.Add(time.Hour), Key: proofKey()}
	case transitions.CodeReceived:
		p.Code = credential.NewSecret("code")
	case transitions.FlowOpen, transitions.DeviceFlowOpen, transitions.FlowBesideToken, transitions.DeviceFlowBesideToken:
		p.Flow.ID = "flow"
	}
	return p
}

// proofKey is what the tokens of a walk are bound to.
var proofKey = sync.OnceValue(func() credential.Secret {
	key, err := credential.NewKey()
	if err != nil {
		panic(err)
	}
	return key
})

// withoutKey makes a token that is bound to nothing of the one that comes with an event.
func withoutKey(in *transitions.Input) {
	if in.Payload.Token != nil {
		token := *in.Payload.Token
		token.Key = credential.Secret{}
		in.Payload.Token = &token
	}
}

func withoutRefresh(in *transitions.Input) {
	token := *in.Payload.Token
	token.Refresh = credential.Secret{}
	in.Payload.Token = &token
}
