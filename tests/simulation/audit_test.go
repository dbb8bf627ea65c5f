package simulation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/transitions"
)

// ledger is what the audit remembers.
type ledger struct {
	mu         sync.Mutex
	violations []string
	// journals are those of each upstream in each life of the proxy.
	journals map[string][]fsm.Entry
	// loggedOut are the upstreams that a user logged out of and into no more.
	loggedOut map[string]bool
	// proposals are when the machine began logins by itself, in each life.
	proposals map[string][]time.Time
	taken     map[string]int  // transitions, and refused pairs
	asked     map[string]bool // the upstreams for which anybody asked for a login or a logout
}

func newLedger() *ledger {
	return &ledger{journals: map[string][]fsm.Entry{}, loggedOut: map[string]bool{}, proposals: map[string][]time.Time{},
		taken: map[string]int{}, asked: map[string]bool{}}
}

func (w *world) violated(invariant, format string, args ...any) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.violations = append(w.ledger.violations,
		fmt.Sprintf("seed %d at %s: %s: %s", w.seed, time.Since(w.began), invariant, fmt.Sprintf(format, args...)))
}

// auditRequest sees a request with the token on it.
func (w *world) auditRequest(r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return
	}
	if !w.disk.keeps(token) {
		w.violated("stored before used", "%s was sent with a token that was never on disk", r.URL.Path)
	}
	name := w.nameOf(r.URL.Host)
	w.ledger.mu.Lock()
	out := w.ledger.loggedOut[name]
	w.ledger.mu.Unlock()
	if out {
		w.violated("logout is final", "a request to %s carries a token", name)
	}
}

// observe sees every event of every machine, in order.
func (w *world) observe(p *process, e fsm.Entry) {
	if p.isDead() {
		return
	}
	if e.Disposition == fsm.Moved {
		// How often callers who wake at one moment say the same is not part of a run.
		w.trace("%s %s %s: %s -> %s", e.Machine, e.Region, e.Event, e.From, e.To)
	}
	l := w.ledger
	l.mu.Lock()
	key := p.host + " " + e.Machine
	if e.From != string(states.Closed) || e.RaisedBy != "" { // else someone fired at an upstream that was replaced since
		l.journals[key] = append(l.journals[key], e)
	}
	if e.Disposition == fsm.Moved || e.Disposition == fsm.Updated {
		l.taken[e.Region+" "+e.From+" "+e.Event]++
	} else {
		l.taken["refused "+e.Region+" "+e.From+" "+e.Event]++
	}
	budget := 0
	switch transitions.Event(e.Event) {
	case transitions.LoginRequested, transitions.LoginProposed, transitions.LogoutRequested:
		l.asked[e.Machine] = l.asked[e.Machine] || !e.Disposition.Refused()
	}
	switch {
	case e.Event == string(transitions.LogoutDone) && e.Disposition == fsm.Moved:
		l.loggedOut[e.Machine] = true
	case e.Event == string(transitions.LoginRequested) && !e.Disposition.Refused():
		delete(l.loggedOut, e.Machine)
	case e.Event == string(transitions.LoginProposed) && e.Disposition == fsm.Moved:
		recent := append(slices.DeleteFunc(l.proposals[key], func(at time.Time) bool { return at.Before(e.Time.Add(-time.Hour)) }), e.Time)
		l.proposals[key], budget = recent, len(recent)
	}
	l.mu.Unlock()
	if most := states.DefaultSettings().BrowserBudget; budget > most {
		w.violated("bounded openings", "the machine of %s began %d logins in an hour", e.Machine, budget)
	}
	if e.Disposition == fsm.Moved && e.Region == states.Credential && e.To == string(states.LoginRequired) {
		w.auditDemand(p, e)
	}
}

// auditDemand looks whether a user is asked for a login that is not needed.
func (w *world) auditDemand(p *process, e fsm.Entry) {
	if p.store == nil || e.From != string(states.LoadingToken) && e.From != string(states.Refreshing) {
		return
	}
	stored, err := p.store.Load(e.Machine)
	if err != nil || stored.Intent != nil || !stored.Token.HasRefresh() {
		return
	}
	s := w.siteOf(e.Machine)
	if s != nil && s.server.RefreshWorks(stored.Token.Refresh.Reveal()) && e.Event != string(transitions.ClientForgotten) {
		w.violated("no needless login", "%s demands a login of %s while a refresh token that works is on disk", e.Event, e.Machine)
	}
}

// auditStored reads the journal that earlier lives have left.
func (w *world) auditStored(s *store.Store, name string) {
	lines, err := s.Journal(name, 0)
	if err != nil {
		w.violated("journal", "%v", err)
		return
	}
	var entries []fsm.Entry
	for _, line := range lines {
		var e fsm.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			w.violated("journal", "%v", err)
			return
		}
		entries = append(entries, e)
	}
	w.replay("the stored journal of "+name, entries)
}

// replay runs a journal against the graph, and holds it to the promises.
func (w *world) replay(what string, entries []fsm.Entry) {
	if err := journals.Audit(entries); err != nil {
		w.violated("audit", "%s: %v", what, err)
	}
}

// auditJournals replays everything that was seen.
func (w *world) auditJournals() {
	w.ledger.mu.Lock()
	seen := w.ledger.journals
	w.ledger.mu.Unlock()
	for key, entries := range seen {
		w.replay(key, entries)
		if err := journals.Keep("simulation", entries); err != nil {
			w.Error(err)
		}
	}
}
