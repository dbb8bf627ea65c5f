package verify_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/verify"
)

// book writes a journal by hand: it counts numbers and epochs, and a second goes by with
// each entry.
type book struct {
	entries  []fsm.Entry
	now      time.Time
	sequence uint64
	epoch    uint64
	at       map[string]fsm.Entry
}

// begin begins another life.
func (b *book) begin() *book {
	if b.now.IsZero() {
		b.now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	}
	b.sequence, b.epoch = 0, 2
	b.at = map[string]fsm.Entry{
		states.Connection: {To: string(states.Disconnected), Epoch: 1},
		states.Credential: {To: string(states.Unloaded), Epoch: 2},
	}
	return b
}

// moves adds an event that leads the region to a state.
func (b *book) moves(region string, event transitions.Event, to states.State, changes ...func(*fsm.Entry)) *book {
	b.epoch++
	return b.add(region, event, to, fsm.Moved, b.epoch, changes)
}

// stays adds an event that does not.
func (b *book) stays(region string, event transitions.Event, as fsm.Disposition, changes ...func(*fsm.Entry)) *book {
	return b.add(region, event, states.State(b.at[region].To), as, b.at[region].Epoch, changes)
}

func (b *book) add(region string, event transitions.Event, to states.State, as fsm.Disposition, epoch uint64,
	changes []func(*fsm.Entry)) *book {
	if b.now = b.now.Add(time.Second); as == fsm.Moved || as == fsm.Updated {
		b.sequence++
	}
	e := fsm.Entry{
		Time: b.now, Machine: "u", Region: region, Sequence: b.sequence, Epoch: epoch, Event: string(event), Actor: fsm.Automatic,
		From: b.at[region].To, To: string(to), Disposition: as,
	}
	for _, change := range changes {
		change(&e)
	}
	b.now, b.at[region], b.entries = e.Time, e, append(b.entries, e)
	return b
}

func by(actor fsm.Actor) func(*fsm.Entry)     { return func(e *fsm.Entry) { e.Actor = actor } }
func noting(note string) func(*fsm.Entry)     { return func(e *fsm.Entry) { e.Note = note } }
func of(flow string) func(*fsm.Entry)         { return func(e *fsm.Entry) { e.Flow = flow } }
func later(by time.Duration) func(*fsm.Entry) { return func(e *fsm.Entry) { e.Time = e.Time.Add(by) } }
func raisedBy(event transitions.Event) func(*fsm.Entry) {
	return func(e *fsm.Entry) { e.RaisedBy = string(event) }
}

const credentialRegion, connectionRegion = states.Credential, states.Connection

// loaded is a credential whose token was read.
func loaded(b *book) *book {
	return b.begin().moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken).
		moves(credentialRegion, transitions.TokenUsable, states.Fresh, noting("token generation 3"))
}

func anonymous(b *book) *book {
	return b.begin().moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken).
		moves(credentialRegion, transitions.TokenMissing, states.Anonymous)
}

func refreshing(b *book) *book {
	return b.moves(credentialRegion, transitions.RenewDue, states.RefreshQueued, by(fsm.Clock)).
		moves(credentialRegion, transitions.RefreshTurn, states.Refreshing)
}

func browser(b *book) *book {
	return anonymous(b).moves(credentialRegion, transitions.LoginRequested, states.Discovering, by(fsm.Person), of("f1")).
		moves(credentialRegion, transitions.Discovered, states.Registering, of("f1")).
		moves(credentialRegion, transitions.Registered, states.AwaitingBrowser, of("f1"))
}

// broken are journals, each with the promise that it breaks.
var broken = []struct {
	promise, is string
	write       func(*book)
}{
	{"refused changes nothing", "a refusal that leads elsewhere", func(b *book) {
		loaded(b).stays(credentialRegion, transitions.LoginDenied, fsm.Illegal, func(e *fsm.Entry) { e.To = string(states.LoginRequired) })
	}},
	{"refused changes nothing", "what is ignored and counts", func(b *book) {
		loaded(b).stays(credentialRegion, transitions.TokenWanted, fsm.Ignored, func(e *fsm.Entry) { e.Sequence++ })
	}},
	{"stale changes nothing", "a late outcome that leads elsewhere", func(b *book) {
		loaded(b).stays(credentialRegion, transitions.RefreshFailed, fsm.Stale, func(e *fsm.Entry) { e.To = string(states.RefreshBackoff) })
	}},
	{"outcomes are taken", "the answer to a refresh that is ignored", func(b *book) {
		refreshing(loaded(b)).stays(credentialRegion, transitions.Refreshed, fsm.Ignored)
	}},
	{"events mean what they say", "a handshake that fails the connection", func(b *book) {
		b.begin().moves(connectionRegion, transitions.Connect, states.AwaitingCredential, by(fsm.Process)).
			moves(connectionRegion, transitions.Handshaken, states.Failed)
	}},
	{"only requests are kept", "a second response that is kept", func(b *book) {
		browser(b).moves(credentialRegion, transitions.CodeReceived, states.ExchangingCode, by(fsm.Person), of("f1")).
			stays(credentialRegion, transitions.CodeReceived, fsm.Postponed, by(fsm.Person), of("f1"))
	}},
	{"only finished", "a login that ends a refresh", func(b *book) {
		refreshing(loaded(b)).moves(credentialRegion, transitions.LoginRequested, states.Discovering, by(fsm.Person), of("f1"))
	}},
	{"one flow", "the response of another login", func(b *book) {
		browser(b).moves(credentialRegion, transitions.CodeReceived, states.ExchangingCode, by(fsm.Person), of("f2"))
	}},
	{"no reuse", "a refresh token that is sent after an answer has spent it", func(b *book) {
		refreshing(loaded(b)).moves(credentialRegion, transitions.RefreshTokenLost, states.Fresh, noting("token generation 4"))
		refreshing(b)
	}},
	{"no reuse", "a refresh token that is sent again after a restart, though it was answered", func(b *book) {
		refreshing(loaded(b)).moves(credentialRegion, transitions.Refreshed, states.Fresh, noting("token generation 4"))
		refreshing(loaded(b))
	}},
	{"no reuse", "a refresh token that is sent for the third time", func(b *book) {
		loaded(b)
		for range 3 {
			refreshing(b).moves(credentialRegion, transitions.TokenUncertain, states.Fresh)
		}
	}},
	{"logout is final", "a token after a logout and a restart", func(b *book) {
		loaded(b).moves(credentialRegion, transitions.LogoutRequested, states.LoggingOut, by(fsm.Person)).
			moves(credentialRegion, transitions.LogoutDone, states.LoggedOut)
		loaded(b)
	}},
	{"a user decides", "a login that the machine asked for as if it were a user", func(b *book) {
		anonymous(b).moves(credentialRegion, transitions.LoginRequested, states.Discovering, of("f1"))
	}},
	{"a user decides", "a logout that leads nowhere", func(b *book) {
		b.begin().moves(connectionRegion, transitions.Connect, states.AwaitingCredential, by(fsm.Process)).
			moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken, raisedBy(transitions.Connect)).
			moves(credentialRegion, transitions.TokenMissing, states.Anonymous).
			moves(connectionRegion, transitions.CredentialReady, states.ConnectQueued, raisedBy(transitions.TokenMissing)).
			stays(credentialRegion, transitions.LogoutRequested, fsm.Guarded, by(fsm.Person)).
			stays(credentialRegion, transitions.TokenWanted, fsm.Ignored)
	}},
	{"offers hold", "a login that is offered beside a refresh's pause, and refused", func(b *book) {
		refreshing(loaded(b)).moves(credentialRegion, transitions.RefreshFailed, states.RefreshBackoff).
			stays(credentialRegion, transitions.LoginRequested, fsm.Guarded, by(fsm.Person))
	}},
	{"the current token", "a 401 about an older token", func(b *book) {
		loaded(b).moves(credentialRegion, transitions.TokenRefused, states.RefreshQueued, noting("generation 2"))
	}},
	{"bounded openings", "one page after the other", func(b *book) {
		anonymous(b).moves(credentialRegion, transitions.Challenged, states.LoginRequired)
		for range 7 {
			b.moves(credentialRegion, transitions.LoginProposed, states.Discovering).
				moves(credentialRegion, transitions.DiscoveryFailed, states.LoginRequired)
		}
	}},
	{"bounded refreshes", "one refresh after the other for 401s", func(b *book) {
		loaded(b)
		for i := range 6 {
			b.moves(credentialRegion, transitions.TokenRefused, states.RefreshQueued).
				moves(credentialRegion, transitions.RefreshTurn, states.Refreshing).
				moves(credentialRegion, transitions.Refreshed, states.Fresh, noting(fmt.Sprintf("token generation %d", 4+i)))
		}
	}},
	{"bounded refreshes", "a grant after its token was refused as new", func(b *book) {
		loaded(b).moves(credentialRegion, transitions.TokenRejected, states.LoginRequired).
			moves(credentialRegion, transitions.GrantDue, states.Discovering)
	}},
	{"what is unusable rests", "a login for an entry that cannot be used", func(b *book) {
		b.begin().moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken).
			moves(credentialRegion, transitions.EntryInvalid, states.Failed).
			moves(credentialRegion, transitions.LoginRequested, states.Discovering, by(fsm.Person), of("f1"))
	}},
	{"states are true", "a turn that is waited for while only a user can help", func(b *book) {
		b.begin().moves(connectionRegion, transitions.Connect, states.AwaitingCredential, by(fsm.Process)).
			moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken, raisedBy(transitions.Connect)).
			moves(credentialRegion, transitions.TokenMissing, states.Anonymous).
			moves(connectionRegion, transitions.CredentialReady, states.ConnectQueued, raisedBy(transitions.TokenMissing)).
			moves(credentialRegion, transitions.Challenged, states.LoginRequired).
			stays(credentialRegion, transitions.Challenged, fsm.Ignored)
	}},
	{"every wait is bounded", "a refresh that takes ten minutes", func(b *book) {
		refreshing(loaded(b)).moves(credentialRegion, transitions.Refreshed, states.Fresh, noting("token generation 4"), later(10*time.Minute))
	}},
	{"what works is kept", "a login that is not completed and takes the token away", func(b *book) {
		loaded(b).moves(credentialRegion, transitions.LoginRequested, states.Discovering, by(fsm.Person), of("f1")).
			moves(credentialRegion, transitions.LoginTimedOut, states.LoginRequired, by(fsm.Clock), later(time.Minute))
	}},
	{"the graph explains it", "an entry that is missing", func(b *book) {
		refreshing(loaded(b))
		b.sequence++
		b.moves(credentialRegion, transitions.Refreshed, states.Fresh, noting("token generation 4"))
	}},
	{"an epoch is given once", "an epoch that was given before", func(b *book) {
		loaded(b).moves(credentialRegion, transitions.RenewDue, states.RefreshQueued, func(e *fsm.Entry) { e.Epoch = 3 })
	}},
	{"an epoch is given once", "a note with an epoch of its own", func(b *book) {
		loaded(b).stays(credentialRegion, transitions.TokenAccepted, fsm.Updated, func(e *fsm.Entry) { e.Epoch = 9 })
	}},
	{"time goes on", "an entry of a minute ago", func(b *book) {
		loaded(b).stays(credentialRegion, transitions.TokenWanted, fsm.Ignored, later(-time.Minute))
	}},
	{"timers strike when they are due", "a deadline of 10 s after one", func(b *book) {
		b.begin().moves(credentialRegion, transitions.CredentialDemanded, states.LoadingToken).
			moves(credentialRegion, transitions.LoadTimedOut, states.Failed, by(fsm.Clock))
	}},
}

// Each journal breaks the promise that it is written for and no other; that the graph does
// not allow it either, or that signals are not written out here, replay says besides.
func TestEachMonitorNamesABrokenJournal(t *testing.T) {
	for _, test := range broken {
		t.Run(test.promise+"/"+test.is, func(t *testing.T) {
			var b book
			test.write(&b)
			named := []string{}
			for _, f := range verify.Audit(b.entries) {
				if f.Promise != "the graph explains it" || test.promise == f.Promise {
					named = append(named, f.Promise)
				}
				if f.Number < 1 || f.Number > len(b.entries) || f.Why == "" {
					t.Errorf("the finding has no place or reason: %+v", f)
				}
			}
			if !slices.Equal(named, []string{test.promise}) {
				t.Errorf("what is named is %q: %+v", named, verify.Audit(b.entries))
			}
		})
	}
	for _, m := range verify.Monitors() {
		written := slices.ContainsFunc(broken, func(b struct {
			promise, is string
			write       func(*book)
		}) bool {
			return b.promise == m.Name
		})
		if written == (m.Undecidable != "") {
			t.Errorf("%q has a broken journal: %v, and is said to be undecidable: %q", m.Name, written, m.Undecidable)
		}
	}
}

// A round that is only counted is judged by how often it came in how long, whatever number
// someone wrote.
func TestRoundsAreJudgedAsOftenAsTheyCame(t *testing.T) {
	var b book
	anonymous(&b).moves(credentialRegion, transitions.Challenged, states.LoginRequired).
		moves(credentialRegion, transitions.LoginProposed, states.Discovering).
		moves(credentialRegion, transitions.DiscoveryFailed, states.LoginRequired)
	last := &b.entries[len(b.entries)-1]
	for _, test := range []struct {
		times uint64
		apart time.Duration
		holds bool
	}{{5, time.Minute, true}, {6, time.Minute, false}, {1000, time.Hour, true}, {1 << 63, time.Nanosecond, false}} {
		last.Again = &fsm.Again{Round: 2, Times: test.times, Last: last.Time.Add(time.Duration(min(test.times, 1<<20)) * test.apart)}
		named := slices.ContainsFunc(verify.Audit(b.entries), func(f verify.Finding) bool { return f.Promise == "bounded openings" })
		if named == test.holds {
			t.Errorf("%d times, %v apart: named is %v", test.times, test.apart, named)
		}
	}
}
