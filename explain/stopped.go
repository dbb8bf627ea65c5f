package explain

import (
	"fmt"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/transitions"
)

// atStart says what the next start makes of what is stored.
var atStart = map[transitions.Event]string{
	transitions.TokenUsable:  "the stored token is used, and no login is needed",
	transitions.TokenExpired: "the stored token has expired and is renewed, and no login is needed",
	transitions.TokenSpent:   "the stored token has expired and there is no refresh token, so that a user has to log in",
	transitions.TokenMissing: "the server is asked without a token; if it wants a login, a user has to log in",
	transitions.TokenUncertain: "the stored token is used while it works; a refresh was sent and its answer never came, so that " +
		"renewing it may end in a login",
	transitions.RefreshUncertain: "the refresh token is sent once more; a refresh was sent and its answer never came, so that this " +
		"may end in a login",
	transitions.FlowOpen:        "the login that was open goes on, and its page can still be completed",
	transitions.DeviceFlowOpen:  "the login that was open goes on, and its code can still be entered",
	transitions.FlowBesideToken: "the stored token is used, and the login that was open goes on beside it",
	transitions.DeviceFlowBesideToken: "the stored token is used, and the login that was open goes on beside it, where its code can " +
		"still be entered",
	transitions.LoggedOutMark: "it stays logged out until a user logs in",
}

// Stopped explains an upstream of a proxy that does not run, by what its store
// holds. journal is the upstream's, oldest first. What the configuration has changed
// since is not known to it.
func Stopped(name string, kept store.Credential, journal []fsm.Entry, now time.Time) Explanation {
	stored := transitions.Stored{Token: kept.Token, Flow: kept.Flow, Intent: kept.Intent, LoggedOut: kept.Logout != nil}
	start := transitions.LoadEnd(stored, now)
	e := Explanation{
		Upstream: name,
		Doing:    "No proxy is running, so nothing is done for it.",
		Failures: []Failure{},
		Next:     []Step{},
		Accepted: []string{},
		Then:     "At the next start " + atStart[start] + ".",
		Calls:    "Nobody takes calls.",
	}
	e.Since, e.Why = ended(journal)
	e.Can = []status.Action{{Command: "mcpproxy serve", Why: "starts the proxy"}}
	switch start {
	case transitions.TokenSpent, transitions.LoggedOutMark, transitions.TokenMissing:
		e.Can = append(e.Can, status.Action{Request: transitions.RequestLogin, Command: "mcpproxy auth login " + name,
			Why: "logs in, also without a running proxy"})
	}
	return e
}

// Damaged explains an upstream of a proxy that does not run, whose record in the
// store cannot be read. err says which and why.
func Damaged(name string, err error) Explanation {
	return Explanation{
		Upstream: name,
		Doing:    "No proxy is running, so nothing is done for it.",
		Why:      sentence(err.Error()),
		Reason:   states.StoreCorrupt,
		Failures: []Failure{},
		Next:     []Step{},
		Accepted: []string{},
		Then:     "At the next start the upstream fails, and the record is left as it is.",
		Calls:    "Nobody takes calls.",
		Mend:     states.StoreCorrupt.Mend(),
		Can: []status.Action{{Request: transitions.RequestLogout, Command: "mcpproxy auth logout " + name,
			Why: "erases what is damaged, so that a login can begin again"}},
	}
}

// ended is when and in which states the last process left the upstream.
func ended(journal []fsm.Entry) (since *time.Time, why string) {
	var last = map[string]fsm.Entry{}
	for _, entry := range journal {
		if entry.Disposition == fsm.Moved {
			last[entry.Region] = entry
		}
	}
	if len(last) == 0 {
		return nil, "Its journal is empty: no proxy has run it yet."
	}
	var parts []string
	closed := true
	at := journal[len(journal)-1].Time
	for _, name := range []string{states.Connection, states.Credential} {
		entry, ok := last[name]
		if !ok {
			continue
		}
		state := entry.To
		if states.State(entry.To) == states.Closed {
			state = entry.From
		} else {
			closed = false
		}
		parts = append(parts, fmt.Sprintf("the %s was %s", name, state))
	}
	if closed {
		return &at, "The proxy that ran it ended; at that moment " + strings.Join(parts, " and ") + "."
	}
	return &at, "The proxy that ran it ended without closing it, as one does that is killed; at the last entry of its journal " +
		strings.Join(parts, " and ") + "."
}
