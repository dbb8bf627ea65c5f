package journal_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/journal"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// writer writes a journal as a machine does: it counts its moves and updates.
type writer struct {
	entries  []fsm.Entry
	sequence uint64
	at       time.Time
}

// after lets time pass.
func (w *writer) after(d time.Duration) *writer {
	w.at = w.at.Add(d)
	return w
}

func (w *writer) write(e fsm.Entry) *writer {
	if e.Region == "" {
		e.Region = "credential"
	}
	if e.Disposition == fsm.Moved || e.Disposition == fsm.Updated {
		w.sequence++
	}
	e.Time, e.Sequence = w.at, w.sequence
	w.entries = append(w.entries, e)
	return w
}

func (w *writer) move(from, event, to string) *writer {
	return w.write(fsm.Entry{From: from, Event: event, To: to, Disposition: fsm.Moved})
}

func (w *writer) login(from, event, to, flow string) *writer {
	return w.write(fsm.Entry{From: from, Event: event, To: to, Disposition: fsm.Moved, Flow: flow})
}

func (w *writer) refuse(state, event string) *writer {
	return w.write(fsm.Entry{From: state, Event: event, To: state, Disposition: fsm.Illegal})
}

// another process goes on with the journal.
func (w *writer) another() *writer {
	w.sequence = 0
	return w
}

func begin() *writer { return &writer{at: noon} }

func ExampleLines() {
	w := begin().move("LoadingToken", "TokenUsable", "Fresh").after(time.Minute).
		write(fsm.Entry{From: "Fresh", Event: "TokenAccepted", To: "Fresh", Disposition: fsm.Updated}).
		refuse("Fresh", "Refreshed").
		another().move("Unloaded", "CredentialDemanded", "LoadingToken")
	for _, line := range journal.Lines(w.entries) {
		after := "?"
		if line.InState != nil {
			after = time.Duration(*line.InState * int64(time.Millisecond)).String()
		}
		fmt.Println(line.From, line.Event, "after", after, line.Passed, "refused:", line.Refused, "again:", line.NewProcess)
	}
	// Output:
	// LoadingToken TokenUsable after ? [] refused: false again: false
	// Fresh TokenAccepted after 1m0s [currentGeneration] refused: false again: false
	// Fresh Refreshed after 1m0s [] refused: true again: false
	// Unloaded CredentialDemanded after ? [] refused: false again: true
}

func TestCounting(t *testing.T) {
	for name, test := range map[string]struct {
		journal *writer
		// running is how long after the last entry it is counted; 0 for a stopped proxy.
		running            time.Duration
		refreshes, logins  journal.Attempts
		grants             journal.Attempts
		longestInFresh     time.Duration
		processes, refused int
	}{
		"refreshes, one of them without success": {
			journal: begin().move("LoadingToken", "TokenUsable", "Fresh").
				after(time.Hour).move("Fresh", "RenewDue", "Refreshing").after(time.Second).move("Refreshing", "Refreshed", "Fresh").
				after(time.Minute).move("Fresh", "RenewDue", "Refreshing").after(3*time.Second).move("Refreshing", "RefreshFailed", "RefreshBackoff"),
			refreshes: journal.Attempts{Begun: 2, Succeeded: 1, Failed: 1, Median: 3000, Longest: 3000,
				Endings: []journal.Ending{{Event: "Refreshed", Count: 1}, {Event: "RefreshFailed", Count: 1}}},
			longestInFresh: time.Hour, processes: 1,
		},
		"a login that goes through its states is one": {
			journal: begin().login("LoginRequired", "LoginRequested", "Discovering", "a").after(time.Second).
				login("Discovering", "Discovered", "Registering", "a").
				login("Registering", "Registered", "AwaitingBrowser", "a").after(time.Minute).
				login("AwaitingBrowser", "CodeReceived", "ExchangingCode", "a").login("ExchangingCode", "CodeExchanged", "Fresh", "a"),
			running: time.Second,
			logins: journal.Attempts{Begun: 1, Succeeded: 1, Median: 61000, Longest: 61000,
				Endings: []journal.Ending{{Event: "CodeExchanged", Count: 1}}},
			longestInFresh: time.Second, processes: 1,
		},
		"a login that outlives its process is still one, and as long as the user took": {
			journal: begin().login("LoginRequired", "LoginRequested", "Discovering", "a").login("Discovering", "Discovered", "Registering", "a").
				login("Registering", "Registered", "AwaitingBrowser", "a").
				after(time.Second).another().move("Unloaded", "CredentialDemanded", "LoadingToken").
				login("LoadingToken", "FlowOpen", "AwaitingBrowser", "a").
				after(time.Second).login("AwaitingBrowser", "LoginDenied", "LoginRequired", "a"),
			logins: journal.Attempts{Begun: 1, Failed: 1, Median: 2000, Longest: 2000,
				Endings: []journal.Ending{{Event: "LoginDenied", Count: 1}}}, processes: 2,
		},
		"what a process took with it has no known end": {
			journal: begin().login("LoginRequired", "LoginRequested", "Discovering", "a").another().
				move("Unloaded", "CredentialDemanded", "LoadingToken").move("LoadingToken", "TokenExpired", "Refreshing"),
			running: time.Second, logins: journal.Attempts{Begun: 1, Unknown: 1}, refreshes: journal.Attempts{Begun: 1, Open: 1}, processes: 2,
		},
		"an attempt whose begin was dropped counts, and has no length": {
			journal: begin().login("ExchangingCode", "ExchangeRejected", "LoginRequired", "a"),
			logins:  journal.Attempts{Begun: 1, Failed: 1, Endings: []journal.Ending{{Event: "ExchangeRejected", Count: 1}}}, processes: 1,
		},
		"a grant is no login": {
			journal: begin().move("LoginRequired", "GrantDue", "Discovering").move("Discovering", "Discovered", "Registering").
				move("Registering", "ClientIdentified", "RequestingToken").
				after(time.Second).move("RequestingToken", "TokenGranted", "Fresh"),
			grants: journal.Attempts{Begun: 1, Succeeded: 1, Median: 1000, Longest: 1000,
				Endings: []journal.Ending{{Event: "TokenGranted", Count: 1}}}, processes: 1,
		},
		"refusals": {journal: begin().refuse("LoggedOut", "Refreshed").refuse("LoggedOut", "Refreshed"), processes: 1, refused: 2},
	} {
		t.Run(name, func(t *testing.T) {
			var now time.Time
			if test.running > 0 {
				now = test.journal.at.Add(test.running)
			}
			s := journal.Count("u", test.journal.entries, now)
			equal := cmp.Options{cmpopts.IgnoreUnexported(journal.Attempts{}), cmpopts.EquateEmpty()}
			for _, kind := range []struct {
				name      string
				got, want journal.Attempts
			}{{"refreshes", s.Refreshes, test.refreshes}, {"logins", s.Logins, test.logins}, {"grants", s.Grants, test.grants}} {
				if diff := cmp.Diff(kind.want, kind.got, equal); diff != "" {
					t.Errorf("%s: %s", kind.name, diff)
				}
				if a := kind.got; a.Begun != a.Succeeded+a.Failed+a.Open+a.Unknown {
					t.Errorf("%s do not add up: %+v", kind.name, a)
				}
			}
			refused := 0
			for _, r := range s.Refusals {
				refused += r.Count
			}
			var longest int64
			for _, state := range s.States {
				if state.State == "Fresh" {
					longest = state.Longest
				}
			}
			if s.Processes != test.processes || refused != test.refused || longest != test.longestInFresh.Milliseconds() {
				t.Errorf("%d processes, %d refused, %d ms in Fresh at most: %+v", s.Processes, refused, longest, s)
			}
		})
	}
}

func TestSharesAddUp(t *testing.T) {
	s := journal.Count("u", begin().move("Unloaded", "CredentialDemanded", "LoadingToken").after(time.Second).
		move("LoadingToken", "TokenUsable", "Fresh").entries, noon.Add(4*time.Second))
	if len(s.States) != 2 || s.States[0].State != "LoadingToken" || s.States[0].Share != 0.25 || s.States[1].Share != 0.75 ||
		!s.States[1].Now || s.States[0].Now {
		t.Errorf("%+v", s.States)
	}
}

// A region that nothing has happened to since the oldest entry was where it is met.
func TestTheTimeBeforeARegionIsFirstMetCounts(t *testing.T) {
	w := begin().move("Refreshing", "Refreshed", "Fresh").after(time.Minute).
		write(fsm.Entry{Region: "connection", From: "Connected", Event: "CredentialReady", To: "Connected", Disposition: fsm.Ignored})
	s := journal.Count("u", w.entries, noon.Add(2*time.Minute))
	if at := s.States[0]; at.State != "Connected" || at.Total != 120_000 || at.Entered != 0 || !at.Now {
		t.Errorf("%+v", s.States)
	}
}

// A round that came again counts as often as it came, and is there from its last time on.
func TestRoundsCountAsOftenAsTheyCame(t *testing.T) {
	w := begin()
	for range 20 {
		w.move("RefreshBackoff", "RefreshRetryDue", "RefreshQueued").move("RefreshQueued", "RefreshTurn", "Refreshing").after(time.Second).
			move("Refreshing", "RefreshFailed", "RefreshBackoff").after(time.Minute)
	}
	whole := w.move("RefreshBackoff", "RefreshRetryDue", "RefreshQueued").entries
	counted := slices.Clone(whole[:3])
	counted[2].Again = &fsm.Again{Round: 3, Times: 19, Last: whole[59].Time}
	counted = append(counted, whole[60])
	now := w.after(time.Second).at
	if diff := cmp.Diff(journal.Count("u", whole, now), journal.Count("u", counted, now),
		cmpopts.IgnoreUnexported(journal.Attempts{})); diff != "" {
		t.Errorf("(-each by itself +counted):\n%s", diff)
	}
	lines := journal.Lines(counted)
	if in := lines[3].InState; in == nil || *in != time.Minute.Milliseconds() {
		t.Errorf("the state after the round lasted %v ms, want a minute", in)
	}
	if since := journal.Since(lines, whole[55].Time); len(since) != 2 {
		t.Errorf("%d lines since a moment at which the round came again, want the one that counts it and the next", len(since))
	}
}
