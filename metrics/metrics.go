// Package metrics counts what upstreams do, for Prometheus.
//
// It promises that the number of series is bounded by the configuration and the
// graph, never by what servers or clients send: labels are names of upstreams that
// were configured, and names from the declared graph. Nothing in it is a secret.
// It watches and decides nothing; without it no part of the program does anything
// else than with it.
package metrics

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/transitions"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Now is what is read from an upstream when metrics are collected.
type Now struct {
	Upstream string
	Regions  []RegionNow
	// TokenExpires is zero where there is no token, or none that expires.
	TokenExpires time.Time
}

// RegionNow is the state of one region.
type RegionNow struct {
	Region, State string
	Since         time.Time
}

// Metrics is a registry of its own with the families of [Families], and those of
// the Go runtime and the process. All methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	transitions, refusals, events, refreshes, logins *prometheus.CounterVec
	calls                                            *prometheus.CounterVec
	refreshTime, loginTime, callTime, callWait       *prometheus.HistogramVec
	running                                          *prometheus.GaugeVec

	byUpstream sync.Map // of *series

	mu     sync.Mutex
	upNow  func() []Now
	starts map[string]time.Time // of what is timed, by upstream and what
}

// New returns metrics in which nothing is counted yet.
func New(version string) *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		starts:      map[string]time.Time{},
		upNow:       func() []Now { return nil },
		transitions: counter(moves),
		refusals:    counter(refusals),
		events:      counter(events),
		refreshes:   counter(refreshes),
		logins:      counter(logins),
		calls:       counter(calls),
		refreshTime: histogram(refreshTime),
		loginTime:   histogram(loginTime),
		callTime:    histogram(callTime),
		callWait:    histogram(callWait),
		running:     gauge(running),
	}
	info := gauge(build)
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.transitions, m.refusals, m.events, m.refreshes, m.logins, m.calls, m.refreshTime, m.loginTime, m.callTime,
		m.callWait, m.running,
		info, &stateCollector{now: m.now}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(f Family) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.Name, Help: f.Help}, f.Labels)
}

func gauge(f Family) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.Name, Help: f.Help}, f.Labels)
}

func histogram(f Family) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.Name, Help: f.Help, Buckets: f.Buckets}, f.Labels)
}

// Handler serves the metrics in Prometheus' formats.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Watch sets what says the present states when metrics are collected.
func (m *Metrics) Watch(now func() []Now) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.upNow = now
}

func (m *Metrics) now() []Now {
	m.mu.Lock()
	now := m.upNow
	m.mu.Unlock()
	return now()
}

// Entry counts one event. Entries of one upstream come in their order.
func (m *Metrics) Entry(e fsm.Entry) {
	m.events.WithLabelValues(e.Machine, e.Region, string(e.Disposition)).Inc()
	switch {
	case e.Disposition.Refused():
		m.refusals.WithLabelValues(e.Region, e.From, e.Event, string(e.Disposition), e.Guard).Inc()
	case e.Disposition == fsm.Moved, e.Disposition == fsm.Updated:
		m.transitions.WithLabelValues(e.Region, e.From, e.Event, e.To).Inc()
	}
	if e.Disposition == fsm.Moved && e.Region == states.Credential {
		m.span(e, "refresh", m.refreshes, m.refreshTime, func(s states.State) bool { return s == states.Refreshing })
		m.span(e, "login", m.logins, m.loginTime, func(s states.State) bool {
			return transitions.Is(states.Credential, s, transitions.LoginOpen)
		})
	}
}

// span counts and times what lasts as long as the state is one of those within.
func (m *Metrics) span(e fsm.Entry, what string, ends *prometheus.CounterVec, took *prometheus.HistogramVec,
	within func(states.State) bool) {
	before, after := within(states.State(e.From)), within(states.State(e.To))
	key := e.Machine + "\x00" + what
	m.mu.Lock()
	begun, timed := m.starts[key]
	switch {
	case after && !before:
		m.starts[key] = e.Time
	case before && !after:
		delete(m.starts, key)
	}
	m.mu.Unlock()
	if before && !after {
		ends.WithLabelValues(e.Machine, e.Event).Inc()
		if timed {
			took.WithLabelValues(e.Machine).Observe(e.Time.Sub(begun).Seconds())
		}
	}
}

// outcome of a call.
type outcome int

const (
	ok outcome = iota
	answeredError
	loginNeeded
	unavailable
	cancelled
	failed
	outcomes
)

func (o outcome) String() string {
	return [outcomes]string{"ok", "error", "login_needed", "unavailable", "cancelled", "failed"}[o]
}

func outcomeOf(ctx context.Context, err error) outcome {
	var answer *jsonrpc.Error
	switch {
	case err == nil:
		return ok
	case ctx.Err() != nil:
		return cancelled
	case !errors.As(err, &answer):
		return failed
	case answer.Raw != nil:
		return answeredError
	case answer.Code == jsonrpc.CodeLoginNeeded:
		return loginNeeded
	case answer.Code == jsonrpc.CodeUnavailable:
		return unavailable
	}
	return answeredError
}

// series are one upstream's, looked up once.
type series struct {
	ended      [outcomes]prometheus.Counter
	took, wait prometheus.Observer
	running    prometheus.Gauge
}

func (m *Metrics) of(upstream string) *series {
	if found, ok := m.byUpstream.Load(upstream); ok {
		return found.(*series)
	}
	s := &series{took: m.callTime.WithLabelValues(upstream), wait: m.callWait.WithLabelValues(upstream),
		running: m.running.WithLabelValues(upstream)}
	for o := range outcomes {
		s.ended[o] = m.calls.WithLabelValues(upstream, o.String())
	}
	found, _ := m.byUpstream.LoadOrStore(upstream, s)
	return found.(*series)
}

// Call counts and times a call; the function that it returns is told its end.
func (m *Metrics) Call(ctx context.Context, upstream string, _ *relay.Call) (context.Context, func(error)) {
	s, begun := m.of(upstream), time.Now()
	s.running.Inc()
	return ctx, func(err error) {
		s.running.Dec()
		s.took.Observe(time.Since(begun).Seconds())
		s.ended[outcomeOf(ctx, err)].Inc()
	}
}

// Waited is told how long a call waited for its upstream.
func (m *Metrics) Waited(_ context.Context, upstream string, waited time.Duration) {
	m.of(upstream).wait.Observe(waited.Seconds())
}
