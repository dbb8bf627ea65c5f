package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/metrics"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/tests/golden"
)

// scrape returns the lines of this program's own metrics.
func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var own []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "mcpproxy_") {
			own = append(own, line)
		}
	}
	return strings.Join(own, "")
}

func expect(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestTransitionsAndRefusalsAreCounted(t *testing.T) {
	m := metrics.New("1.2")
	at := time.Now()
	credential := func(after time.Duration, event string, from, to states.State) {
		m.Entry(fsm.Entry{Time: at.Add(after), Machine: "u", Region: states.Credential, Event: event, From: string(from), To: string(to),
			Disposition: fsm.Moved})
	}
	credential(0, "RenewDue", states.Fresh, states.Refreshing)
	credential(2*time.Second, "RefreshFailed", states.Refreshing, states.RefreshBackoff)
	credential(3*time.Second, "RefreshRetryDue", states.RefreshBackoff, states.Refreshing)
	credential(4*time.Second, "Refreshed", states.Refreshing, states.Fresh)
	credential(5*time.Second, "LoginRequested", states.Fresh, states.Discovering)
	credential(6*time.Second, "Discovered", states.Discovering, states.Registering)
	credential(9*time.Second, "LoginLapsed", states.Registering, states.Fresh)
	m.Entry(fsm.Entry{Time: at, Machine: "u", Region: states.Credential, Event: "LoginProposed", From: "Fresh", To: "Fresh",
		Disposition: fsm.Guarded, Guard: "automaticLogin"})
	expect(t, scrape(t, m),
		`mcpproxy_transitions_total{event="RenewDue",from="Fresh",region="credential",to="Refreshing"} 1`,
		`mcpproxy_refused_events_total{disposition="guarded",event="LoginProposed",guard="automaticLogin",region="credential",state="Fresh"} 1`,
		`mcpproxy_events_total{disposition="moved",region="credential",upstream="u"} 7`,
		`mcpproxy_refreshes_total{outcome="RefreshFailed",upstream="u"} 1`,
		`mcpproxy_refreshes_total{outcome="Refreshed",upstream="u"} 1`,
		`mcpproxy_refresh_duration_seconds_sum{upstream="u"} 3`,
		`mcpproxy_logins_total{outcome="LoginLapsed",upstream="u"} 1`,
		`mcpproxy_login_duration_seconds_sum{upstream="u"} 4`,
		`mcpproxy_build_info{version="1.2"} 1`)
}

func TestTheStatesAreThoseOfTheMoment(t *testing.T) {
	m := metrics.New("1")
	state := states.Connecting
	m.Watch(func() []metrics.Now {
		return []metrics.Now{{Upstream: "u", Regions: []metrics.RegionNow{{Region: states.Connection, State: string(state),
			Since: time.Unix(1700000000, 0)}}, TokenExpires: time.Unix(1700000100, 0)}}
	})
	expect(t, scrape(t, m), `mcpproxy_upstream_state{region="connection",state="Connecting",upstream="u"} 1`,
		`mcpproxy_upstream_state_since_timestamp_seconds{region="connection",upstream="u"} 1.7e+09`, `mcpproxy_token_expires_timestamp_seconds{upstream="u"} 1.7000001e+09`)
	state = states.Connected
	text := scrape(t, m)
	expect(t, text, `mcpproxy_upstream_state{region="connection",state="Connected",upstream="u"} 1`)
	if strings.Contains(text, "Connecting") {
		t.Error("the state before is still there:\n" + text)
	}
}

func TestCallsAreCountedByTheirOutcome(t *testing.T) {
	m := metrics.New("1")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx context.Context
		err error
	}{
		{t.Context(), nil},
		{t.Context(), &jsonrpc.Error{Code: jsonrpc.CodeLoginNeeded, Raw: json.RawMessage(`{}`)}}, // the server's own
		{t.Context(), jsonrpc.Errorf(jsonrpc.CodeLoginNeeded, "log in")},
		{t.Context(), jsonrpc.Errorf(jsonrpc.CodeUnavailable, "gone")},
		{t.Context(), errors.New("broken")},
		{gone, context.Canceled},
	} {
		_, ended := m.Call(c.ctx, "u", &relay.Call{Method: "tools/call"})
		expect(t, scrape(t, m), `mcpproxy_calls_in_flight{upstream="u"} 1`)
		ended(c.err)
	}
	m.Waited(t.Context(), "u", 2*time.Second)
	text := scrape(t, m)
	for _, outcome := range []string{"ok", "error", "login_needed", "unavailable", "cancelled", "failed"} {
		expect(t, text, `mcpproxy_calls_total{outcome="`+outcome+`",upstream="u"} 1`)
	}
	expect(t, text, `mcpproxy_call_duration_seconds_count{upstream="u"} 6`, `mcpproxy_call_wait_seconds_sum{upstream="u"} 2`, `mcpproxy_calls_in_flight{upstream="u"} 0`)
}

// The document's table is the declaration.
func TestTheDocumentHasTheTableOfTheMetrics(t *testing.T) {
	const path, begin, end = "../docs/metrics.md", "<!-- the table is generated -->\n", "<!-- up to here -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("the marks of the generated table are missing")
	}
	golden.Compare(t, path, before+begin+metrics.Markdown()+end+after)
}

// A dashboard that asks for a metric or a label that is not there shows nothing
// and says nothing.
func TestTheDashboardUsesMetricsThatExist(t *testing.T) {
	text, err := os.ReadFile("../docs/grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, p := range dashboard.Panels {
		if len(p.Targets) > 0 && p.Description == "" {
			t.Errorf("the panel %q has no description", p.Title)
		}
		for _, target := range p.Targets {
			check(t, p.Title, target.Expr, used)
		}
	}
	for _, f := range metrics.Families() {
		if !used[f.Name] && f.Name != "mcpproxy_build_info" {
			t.Errorf("no panel shows %s", f.Name)
		}
	}
}

var (
	selector = regexp.MustCompile(`(mcpproxy_[a-z_]+)(\{[^}]*\})?`)
	matched  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouped  = regexp.MustCompile(`by \(([^)]*)\)`)
)

func check(t *testing.T, title, query string, used map[string]bool) {
	t.Helper()
	labels := []string{"le"}
	for _, found := range selector.FindAllStringSubmatch(query, -1) {
		name := found[1]
		i := slices.IndexFunc(metrics.Families(), func(f metrics.Family) bool {
			return f.Name == name || f.Kind == metrics.Histogram &&
				slices.Contains([]string{f.Name + "_bucket", f.Name + "_sum", f.Name + "_count"}, name)
		})
		if i < 0 {
			t.Errorf("%s: there is no metric %s", title, name)
			continue
		}
		f := metrics.Families()[i]
		used[f.Name] = true
		labels = append(labels, f.Labels...)
		for _, label := range matched.FindAllStringSubmatch(found[2], -1) {
			if !slices.Contains(f.Labels, label[1]) && label[1] != "instance" {
				t.Errorf("%s: %s has no label %s", title, name, label[1])
			}
		}
	}
	for _, group := range grouped.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(group[1], ",") {
			if !slices.Contains(labels, strings.TrimSpace(label)) {
				t.Errorf("%s: groups by %s, which no metric of %q has", title, label, query)
			}
		}
	}
}

func BenchmarkCall(b *testing.B) {
	m := metrics.New("1")
	call := relay.Call{Method: "tools/call"}
	b.ReportAllocs()
	for b.Loop() {
		_, ended := m.Call(b.Context(), "u", &call)
		ended(nil)
	}
}
