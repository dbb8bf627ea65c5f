package upstream

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream/browser"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/child"
	"mcpproxy/upstream/oauth"
	"mcpproxy/upstream/turns"
	"mcpproxy/upstream/wire"

	"golang.org/x/sync/singleflight"
)

// Environment is what all upstreams of a process share.
type Environment struct {
	Store    *store.Store
	Callback *callback.Server
	// Open shows an authorization page to a user.
	Open browser.Opener
	// Authorization is the HTTP client for authorization servers of a reach
	// (oauth.NewHTTPClient); it is asked once for each upstream.
	Authorization func(oauth.Reach) *http.Client
	// Reach is how near the authorization servers of every upstream may be.
	Reach oauth.Reach
	// Network carries requests to MCP servers, below the token. Nil is
	// [NewNetwork]'s.
	Network http.RoundTripper
	Logger  *slog.Logger
	// Limits bound what is under way at once; the zero value is [DefaultLimits].
	Limits Limits
	// Version of this program, sent in the handshake.
	Version string
	// LoginURL is where a user can begin the login of an upstream, or empty.
	LoginURL func(name string) string
	// Observe is told of each journal entry, in order for each upstream.
	Observe func(fsm.Entry)
	// ObserveCall is told of each call before it is made, and may give it another
	// context and other parameters; the function that it returns is told its end.
	// ObserveWait is told how long a call waited for the upstream, ObserveJob of each
	// job that has an outcome. Nil ones are not called; all must be quick.
	ObserveCall func(ctx context.Context, upstream string, call *relay.Call) (context.Context, func(error))
	ObserveWait func(ctx context.Context, upstream string, waited time.Duration)
	ObserveJob  func(ctx context.Context, upstream string, order transitions.Order) (context.Context, func(transitions.Input))

	registering singleflight.Group
	journal     *journal
	guard       child.Guard // of the child processes
	queues      queues
	paces       paces
	limits      atomic.Pointer[Limits] // as they are now
}

// Upstream is one upstream MCP server. All methods are safe for concurrent use.
type Upstream struct {
	config      Config
	environment *Environment
	graph       *transitions.Graph
	logger      *slog.Logger
	runner      *fsm.Runner[states.State, transitions.Event, states.Data, transitions.Payload]
	client      *http.Client
	// reach is how near the servers may be that the upstream leads to, and
	// authorization the client for them.
	reach         oauth.Reach
	authorization *http.Client
	// origin is the scheme and host that tokens may be sent to.
	origin url.URL

	// connections are found by the epoch of the attempt that made them.
	connections sync.Map
	catalog     atomic.Pointer[relay.Catalog]
	publishing  sync.Mutex
	watchers    watchers
	standing    standing
	seen        seen
	words       *child.Words
	recorded    record
	calling     atomic.Int64 // calls under way
	// child holds one while there is a child process.
	child chan struct{}
	// The turns that are waited for or held, each in one state of its region.
	connectTurn, refreshTurn atomic.Pointer[turns.Turn]
	// The places among those that wait for their next attempt, in one state each.
	connectPlace, refreshPlace atomic.Pointer[atomic.Int64]
}

// newUpstream returns the machine of an upstream, disconnected, which begins with data.
// ctx bounds everything it will ever do.
func newUpstream(ctx context.Context, graph *transitions.Graph, config Config, data states.Data, words *child.Words,
	environment *Environment) (*Upstream, error) {
	u := &Upstream{config: config, environment: environment, graph: graph, words: words, child: make(chan struct{}, 1),
		logger: environment.Logger.With("upstream", config.Name)}
	u.catalog.Store(&relay.Catalog{})
	u.client = &http.Client{Transport: &bearer{upstream: u, next: wire.Unpacking(environment.Network)}}
	u.origin = config.origin()
	u.reach = max(environment.Reach, oauth.ReachOf(config.URL, config.OAuth.Issuer, config.OAuth.IdentityProvider.TokenEndpoint))
	u.authorization = environment.Authorization(u.reach)
	settings := config.Settings
	settings.Unattended, settings.Problem = config.OAuth.Grant.Unattended(), config.Problem
	data.Settings = settings
	runner, err := fsm.NewRunner(ctx, graph, config.Name, data, u.observedEffects(),
		func(err error) transitions.Payload { return transitions.Payload{Err: err} },
		fsm.Options[states.State, transitions.Event, states.Data, transitions.Payload]{Journal: u.observe, Perform: u.moved})
	if err != nil {
		return nil, err
	}
	u.runner = runner
	return u, nil
}

// Name is the upstream's name in the configuration.
func (u *Upstream) Name() string { return u.config.Name }

// Config returns the configuration it runs with.
func (u *Upstream) Config() Config { return u.config }

// Machine returns the state machine, to look at and to wait on.
func (u *Upstream) Machine() *transitions.Machine { return u.runner.Machine() }

// Snapshot is the upstream as it is now: one atomic load.
func (u *Upstream) Snapshot() *transitions.Snapshot { return u.runner.Machine().Snapshot() }

// Catalog is what the upstream offers, as last known; it stays while the
// upstream reconnects. It is never nil.
func (u *Upstream) Catalog() *relay.Catalog { return u.catalog.Load() }

// Connect makes the upstream wanted. actor says who wants it; a user's request also ends the
// pause of a refresh and asks a failed store again.
func (u *Upstream) Connect(actor fsm.Actor) (transitions.Outcome, error) {
	if actor != fsm.Person {
		return u.fire(transitions.Input{Event: transitions.Connect, Actor: actor})
	}
	out, err := u.request(transitions.RequestConnect, transitions.Input{})
	u.hurry()
	return out, err
}

// Disconnect makes the upstream unwanted; its token stays.
func (u *Upstream) Disconnect(actor fsm.Actor) (transitions.Outcome, error) {
	return u.fire(transitions.Input{Event: transitions.Disconnect, Actor: actor})
}

// request fires what a user's request is made of, the last event with what in says, and
// returns the answer to that. Refusals of those before it are in the journal.
func (u *Upstream) request(r transitions.Request, in transitions.Input) (transitions.Outcome, error) {
	all := r.Expand(u.Machine().Definition(), u.Snapshot())
	in.Actor = fsm.Person
	for _, event := range all[:len(all)-1] {
		_, _ = u.fire(transitions.Input{Event: event, Actor: fsm.Person})
	}
	in.Event = all[len(all)-1]
	return u.fire(in)
}

// Retry asks for the next attempt of a refresh now, or, where the credential failed,
// for the store to be read again. It is refused where nothing is to be tried again.
func (u *Upstream) Retry() (transitions.Outcome, error) {
	return u.request(transitions.RequestRetry, transitions.Input{})
}

// close ends the upstream: what has sent a one-time secret is awaited until ctx
// ends, all else is cancelled.
func (u *Upstream) close(ctx context.Context) {
	_, _ = u.fire(transitions.Input{Event: transitions.ConnectionShutdown, Actor: fsm.Process})
	_, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		return s.Region(states.Credential).State == states.Closed
	})
	if err != nil {
		u.logger.Warn("the upstream was closed before its work was finished", "state", u.Snapshot().Region(states.Credential).State)
	}
	u.runner.Close()
	// One that was made in this moment has no job that would close it.
	u.connections.Range(func(attempt, conn any) bool {
		u.connections.Delete(attempt)
		u.hangUp(ctx, conn.(wire.Conn))
		return true
	})
	u.giveTurnsBack()
	u.environment.journal.flush()
}

func (u *Upstream) fire(in transitions.Input) (transitions.Outcome, error) {
	if in.At.IsZero() {
		in.At = time.Now()
	}
	if in.Actor == "" {
		in.Actor = fsm.Automatic
	}
	return u.Machine().Fire(in)
}

// moved sees each transition after it was made.
func (u *Upstream) moved(move *transitions.Move) {
	if move.Disposition != fsm.Moved {
		return
	}
	u.takeTurn(move)
	u.takePlace(move)
	for _, event := range u.graph.Proposed(move) {
		u.offer(event)
	}
}

// observe journals and logs each event, accepted or refused.
func (u *Upstream) observe(entry *fsm.Entry) {
	again := false
	if !afterwards(entry) {
		var times uint64
		if again, times = u.record(entry); times > 0 {
			u.logger.Info("what came before has come again", "times", times)
		}
	}
	u.seen.add(*entry)
	level := slog.LevelDebug
	switch {
	case again:
	case entry.Disposition.Refused():
		level = slog.LevelWarn
	case entry.Disposition == fsm.Moved && !transitions.Is(entry.Region, states.State(entry.To), transitions.Passing):
		level = slog.LevelInfo
	}
	if u.logger.Enabled(context.Background(), level) {
		u.logger.LogAttrs(context.Background(), level, "transition", attributes(entry)...)
	}
	if u.environment.Observe != nil {
		u.environment.Observe(*entry)
	}
}

// afterwards reports whether someone fired an event at a region that is over, a late
// response say. The upstream's successor may be writing its own life to the journal by
// then; the log has it.
func afterwards(entry *fsm.Entry) bool {
	return entry.From == string(states.Closed) && entry.RaisedBy == ""
}

// attributes are those of an entry that say something.
func attributes(entry *fsm.Entry) []slog.Attr {
	all := []slog.Attr{
		slog.String("region", entry.Region), slog.String("event", entry.Event), slog.String("from", entry.From), slog.String("to", entry.To),
		slog.String("disposition", string(entry.Disposition)), slog.Uint64("epoch", entry.Epoch), slog.String("actor", string(entry.Actor)),
	}
	for _, optional := range []slog.Attr{slog.String("flow", entry.Flow), slog.String("guard", entry.Guard),
		slog.String("reason", entry.Reason), slog.String("note", entry.Note)} {
		if optional.Value.String() != "" {
			all = append(all, optional)
		}
	}
	return all
}
