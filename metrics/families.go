package metrics

import (
	"fmt"
	"strings"
)

// Kind is a kind of metric.
type Kind string

// The kinds.
const (
	Counter   Kind = "counter"
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family declares one metric: every program and document that names metrics is
// held to this table.
type Family struct {
	Name   string
	Kind   Kind
	Help   string
	Labels []string
	// Buckets of a histogram, in seconds.
	Buckets []float64
}

var (
	quick = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	slow  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 90}
	human = []float64{1, 2.5, 5, 10, 20, 40, 80, 160, 300}
)

// The families.
var (
	state = Family{Name: "mcpproxy_upstream_state", Kind: Gauge, Labels: []string{"upstream", "region", "state"},
		Help: "1 for the state in which the region of the upstream is now. There is no series for the states in which it is not."}
	since = Family{Name: "mcpproxy_upstream_state_since_timestamp_seconds", Kind: Gauge, Labels: []string{"upstream", "region"},
		Help: "When the region entered its present state, in seconds since 1970."}
	expires = Family{Name: "mcpproxy_token_expires_timestamp_seconds", Kind: Gauge, Labels: []string{"upstream"},
		Help: "When the upstream's access token expires, in seconds since 1970. There is no series without a token or without an expiry."}
	moves = Family{Name: "mcpproxy_transitions_total", Kind: Counter, Labels: []string{"region", "from", "event", "to"},
		Help: "Accepted transitions of all upstreams; from and to are equal where the state stayed and only its data changed."}
	refusals = Family{Name: "mcpproxy_refused_events_total", Kind: Counter,
		Labels: []string{"region", "state", "event", "disposition", "guard"},
		Help:   "Refused events of all upstreams: illegal, stale, guarded (the guard says by which) or vetoed. The state was left as it was."}
	events = Family{Name: "mcpproxy_events_total", Kind: Counter, Labels: []string{"upstream", "region", "disposition"},
		Help: "All events of the upstream, by what became of them."}
	refreshes = Family{Name: "mcpproxy_refreshes_total", Kind: Counter, Labels: []string{"upstream", "outcome"},
		Help: "Ended refreshes; the outcome is the event that ended the state Refreshing."}
	refreshTime = Family{Name: "mcpproxy_refresh_duration_seconds", Kind: Histogram, Labels: []string{"upstream"}, Buckets: slow,
		Help: "How long refreshes took, until the new token was on disk or the failure was known."}
	logins = Family{Name: "mcpproxy_logins_total", Kind: Counter, Labels: []string{"upstream", "outcome"},
		Help: "Ended logins, and grants that need no user; the outcome is the event that ended them."}
	loginTime = Family{Name: "mcpproxy_login_duration_seconds", Kind: Histogram, Labels: []string{"upstream"}, Buckets: human,
		Help: "How long logins took, the user's part included."}
	calls = Family{Name: "mcpproxy_calls_total", Kind: Counter, Labels: []string{"upstream", "outcome"},
		Help: "Ended calls: ok; error (the server answered with an error object); login_needed; unavailable; cancelled (by the client, or " +
			"its time was over); failed."}
	callTime = Family{Name: "mcpproxy_call_duration_seconds", Kind: Histogram, Labels: []string{"upstream"}, Buckets: quick,
		Help: "How long calls took, waiting included."}
	callWait = Family{Name: "mcpproxy_call_wait_seconds", Kind: Histogram, Labels: []string{"upstream"}, Buckets: quick,
		Help: "How long calls waited for an upstream on its way back. Calls that did not wait are not counted."}
	running = Family{Name: "mcpproxy_calls_in_flight", Kind: Gauge, Labels: []string{"upstream"},
		Help: "Calls that are being carried out now."}
	build = Family{Name: "mcpproxy_build_info", Kind: Gauge, Labels: []string{"version"},
		Help: "1, with the version of the program."}
)

// Families returns the declaration of every metric, in the order of the document.
func Families() []Family {
	return []Family{state, since, expires, moves, refusals, events, refreshes, refreshTime, logins, loginTime, calls, callTime, callWait,
		running, build}
}

// Markdown is the table of the metrics.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | what it says |\n|---|---|---|---|\n")
	for _, f := range Families() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Kind, strings.Join(f.Labels, ", "), f.Help)
	}
	return b.String()
}
