package explain

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/golden"
	"mcpproxy/transitions"
)

var (
	began = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	now   = began.Add(40 * time.Second)
	graph = transitions.Definition()
)

// statusIn is an upstream that entered both states at began, with the entries that led
// there. change makes its data.
func statusIn(t *testing.T, connection, credential states.State, change func(*states.Data)) status.Upstream {
	t.Helper()
	_, is := snapshotIn(t, connection, credential, change)
	return is
}

func snapshotIn(t *testing.T, connection, credential states.State, change func(*states.Data)) (*transitions.Snapshot, status.Upstream) {
	t.Helper()
	d := states.Data{Settings: states.DefaultSettings()}
	if needsToken(credential) {
		d.Token = token(began.Add(20*time.Minute), "refresh")
	}
	if change != nil {
		change(&d)
	}
	s := &transitions.Snapshot{Identity: &fsm.Identity{Machine: "notes"}, Data: d, Regions: []fsm.Active[states.State, transitions.Event]{
		active(t, states.Connection, connection, d),
		active(t, states.Credential, credential, d),
	}}
	is := status.Of(graph, s, now)
	for i := range is.Regions {
		r := &is.Regions[i]
		r.EnteredBy = entry(r.Region, states.State(r.State))
		if r.EnteredBy != nil && transitions.TurnOf(states.State(r.EnteredBy.From)) == transitions.Event(r.EnteredBy.Event) {
			r.QueuedBy = entry(r.Region, states.State(r.EnteredBy.From))
		}
	}
	return s, is
}

func needsToken(s states.State) bool {
	return slices.Contains([]states.State{states.Fresh, states.RefreshQueued, states.Refreshing, states.RefreshBackoff, states.RefreshPaused},
		s)
}

func token(expires time.Time, refresh string) *credential.Token {
	return &credential.Token{Access: credential.NewSecret("access"), Refresh: credential.NewSecret(refresh), Generation: 3, ObtainedAt: began,
		ExpiresAt: expires}
}

// active is the region in the state, with the timers that it declares.
func active(t *testing.T, region string, name states.State, d states.Data) fsm.Active[states.State, transitions.Event] {
	t.Helper()
	place := graph.Place(region, name)
	if place == nil {
		t.Fatalf("%s has no state %s", region, name)
	}
	a := fsm.Active[states.State, transitions.Event]{Place: place, Epoch: 7, Since: began}
	for _, declared := range transitions.Declaration().Regions {
		for i := range declared.States {
			if declared.Name != region || declared.States[i].Name != name {
				continue
			}
			for _, timer := range declared.States[i].Timers {
				if at := timer.At(d, began); !at.IsZero() {
					a.Timers = append(a.Timers, fsm.ArmedTimer[transitions.Event]{Event: timer.Event, At: at, Doc: timer.Doc})
				}
			}
		}
	}
	return a
}

// entry is one of those that lead to a state; nil for the one that a region begins in.
func entry(region string, to states.State) *fsm.Entry {
	var led *fsm.Entry
	for _, r := range graph.Graph().Regions {
		for _, edge := range r.Edges {
			if r.Name != region || edge.To != string(to) || edge.Internal {
				continue
			}
			led = &fsm.Entry{Time: began, Machine: "notes", Region: region, Event: edge.Event, From: edge.From, To: edge.To, Disposition: fsm.Moved,
				Epoch: 7}
			if edge.Main {
				return led
			}
		}
	}
	return led
}

// kept compares with a file of testdata.
func kept(t *testing.T, name, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", name), got)
}

func text(t *testing.T, e Explanation) string {
	t.Helper()
	var b strings.Builder
	if err := Fprint(&b, e, now); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// beside is the other region's state in which a state is mostly met.
func beside(region string, state states.State) (connection, credential states.State) {
	switch {
	case state == states.Closed:
		return states.Closed, states.Closed
	case region == states.Connection && state == states.AwaitingCredential:
		return state, states.LoadingToken
	case region == states.Connection && state == states.AwaitingLogin:
		return state, states.LoginRequired
	case region == states.Connection && state == states.Disconnected:
		return state, states.Unloaded
	case region == states.Connection:
		return state, states.Fresh
	case state == states.Unloaded:
		return states.Disconnected, state
	case transitions.Is(states.Credential, state, transitions.Resting):
		return states.Connected, state
	case state == states.LoginRequired, state == states.LoggedOut, state == states.LoggingOut, state == states.Failed,
		state == states.AwaitingBrowser, state == states.AwaitingDevice, state == states.LoginBackoff:
		return states.AwaitingLogin, state
	}
	return states.AwaitingCredential, state
}

// Every declared state of both regions is explained; the files are to be read.
func TestEveryState(t *testing.T) {
	for _, r := range graph.Graph().Regions {
		var all strings.Builder
		for _, s := range r.States {
			connection, credential := beside(r.Name, states.State(s.Name))
			e := Of(graph.Graph(), statusIn(t, connection, credential, func(d *states.Data) {
				switch credential {
				case states.LoginRequired:
					d.Reason = states.NeverLoggedIn
				case states.Failed:
					d.Reason = states.StoreFailed
				}
			}))
			whole(t, s.Name, e)
			fmt.Fprintf(&all, "## %s\n\n%s\n", s.Name, text(t, e))
		}
		kept(t, r.Name+".txt", all.String())
	}
}

// whole reports what an explanation lacks.
func whole(t *testing.T, name string, e Explanation) {
	t.Helper()
	for what, said := range map[string]string{"doing": e.Doing, "why": e.Why, "then": e.Then, "calls": e.Calls} {
		if !strings.HasSuffix(said, ".") || strings.Contains(said, "  ") {
			t.Errorf("%s: %s is no sentence: %q", name, what, said)
		}
	}
	for _, s := range e.Next {
		if s.Text == "" || s.When == "" {
			t.Errorf("%s: there are no words for %s", name, s.Event)
		}
	}
}

// Every declared reason says what has to be fixed.
func TestEveryReason(t *testing.T) {
	failed := []states.Reason{states.ClientRejected, states.NotOAuth, states.StoreCorrupt, states.StoreFailed, states.StaticRefused,
		states.Crashed, states.GrantRejected, states.EntryInvalid}
	var all strings.Builder
	for _, reason := range states.Reasons() {
		credential := states.LoginRequired
		if slices.Contains(failed, reason) {
			credential = states.Failed
		}
		e := Of(graph.Graph(), statusIn(t, states.AwaitingLogin, credential, func(d *states.Data) { d.Reason = reason }))
		whole(t, string(reason), e)
		if e.Why != reason.Doc() || e.Why == "" || e.Mend == "" || len(e.Can) == 0 {
			t.Errorf("%s: why %q, mend %q, can %v", reason, e.Why, e.Mend, e.Can)
		}
		fmt.Fprintf(&all, "## %s\n\n%s\n", reason, text(t, e))
	}
	kept(t, "reasons.txt", all.String())
}

// The declaration has words for every state and timer, and a request for every offer; there
// are words for every outlook, and for nothing else.
func TestTheDeclarationHasAllWords(t *testing.T) {
	declared := graph.Graph()
	for _, r := range declared.Regions {
		for _, s := range r.States {
			if s.Next == "" {
				t.Errorf("%s does not say what comes next", s.Name)
			}
			for _, timer := range s.Timers {
				if event, _ := declared.Event(timer.Event); event.Then == "" {
					t.Errorf("there are no words for the timer %s", timer.Event)
				}
			}
			for _, offer := range s.Offers {
				if transitions.RequestOf(transitions.Event(offer.Event)) == "" {
					t.Errorf("%s offers %s, which no request fires", s.Name, offer.Event)
				}
			}
		}
	}
	for _, o := range transitions.Outlooks() {
		if calls[o] == "" {
			t.Errorf("there are no words for the outlook %q", o)
		}
	}
	if len(calls) != len(transitions.Outlooks()) {
		t.Errorf("there are words for %d outlooks", len(calls))
	}
}

// What a user is told to do is accepted, in every pair of states.
func TestWhatAUserCanDoIsAccepted(t *testing.T) {
	for _, connection := range graph.Graph().Regions[0].States {
		for _, credential := range graph.Graph().Regions[1].States {
			snapshot, s := snapshotIn(t, states.State(connection.Name), states.State(credential.Name), nil)
			for _, action := range s.Actions {
				fired := action.Request.Expand(graph, snapshot)
				end := string(fired[len(fired)-1])
				if !slices.ContainsFunc(s.Regions, func(r status.Region) bool { return slices.Contains(r.Accepted, end) }) {
					t.Errorf("%s and %s do not accept %q (%s)", connection.Name, credential.Name, action.Command, end)
				}
			}
		}
	}
}

func TestMoments(t *testing.T) {
	var all strings.Builder
	for _, moment := range []struct {
		name                   string
		connection, credential states.State
		change                 func(*states.Data)
		status                 func(*status.Upstream)
	}{
		{name: "a token is renewed while requests flow", connection: states.Connected, credential: states.Refreshing},
		{name: "a token without a refresh token", connection: states.Connected, credential: states.Fresh, change: func(d *states.Data) { d.Token = token(began.Add(time.Hour), "") }},
		{name: "renewal fails and the token has expired", connection: states.Connected, credential: states.RefreshPaused, change: func(d *states.Data) {
			d.Token = token(began, "refresh")
			d.Lapsed = d.Token.Generation
			d.RefreshAttempts, d.RefreshAt = 2, began.Add(5*time.Minute)
			d.CredentialError = states.Failure{At: began, Text: "the refresh at https://as.example.com/token failed with 503 Service Unavailable"}
		}},
		{name: "a scope is missing", connection: states.Connected, credential: states.Fresh, change: func(d *states.Data) { d.Scopes = []string{"mcp:admin"} }},
		{name: "the proxy may begin a login by itself, and did a moment ago", connection: states.AwaitingLogin, credential: states.LoginRequired,
			change: func(d *states.Data) {
				d.Settings.AutomaticLogin, d.ProposedAt, d.Reason = true, began, states.LoginTimedOut
			},
			status: func(s *status.Upstream) {
				s.Refused = []fsm.Entry{{Time: now.Add(-time.Second), Event: "LoginProposed", Disposition: fsm.Guarded,
					Reason: transitions.ErrBrowserLimit.Error()}}
			}},
		{name: "nobody wants an upstream that needs a login", connection: states.Disconnected, credential: states.LoginRequired, change: func(d *states.Data) { d.Reason = states.RefreshRejected }},
		{name: "attempts to connect fail", connection: states.BackingOff, credential: states.Fresh, change: func(d *states.Data) {
			d.Attempts, d.RetryAt = 4, now.Add(8*time.Second)
			d.ConnectionError = states.Failure{At: began, Text: "connection refused"}
		}},
	} {
		s := statusIn(t, moment.connection, moment.credential, moment.change)
		if moment.status != nil {
			moment.status(&s)
		}
		e := Of(graph.Graph(), s)
		whole(t, moment.name, e)
		fmt.Fprintf(&all, "## %s\n\n%s\n", moment.name, text(t, e))
	}
	kept(t, "moments.txt", all.String())
}

func ExampleSpoken() {
	for _, d := range []time.Duration{-time.Second, 900 * time.Millisecond, 3 * time.Second, 100 * time.Second, 2 * time.Hour,
		50 * time.Hour} {
		fmt.Println(Spoken(d))
	}
	// Output:
	// 0 s
	// 1 s
	// 3 s
	// 1 min 40 s
	// 2 h
	// 2 d 2 h
}
