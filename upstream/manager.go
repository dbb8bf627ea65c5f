package upstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
)

// closeLimit bounds how long Close waits for work that may not be abandoned: a
// refresh or a code exchange whose request was sent.
const closeLimit = 15 * time.Second

// clockPeriod is how often the wall clock is compared with the monotonic one;
// clockSlack is how far they may part before every timer is computed again.
const (
	clockPeriod = 5 * time.Second
	clockSlack  = 2 * time.Second
)

var errGoingDown = errors.New("the proxy is going down")

// Manager owns the upstreams of a process: it starts, replaces and stops them.
type Manager struct {
	environment *Environment
	graph       *transitions.Graph
	root        func() context.Context

	// applying serialises changes of configuration, which wait for upstreams to close.
	applying sync.Mutex

	mu      sync.RWMutex
	running map[string]*Upstream
	// words are what the children of each upstream said, also before a reload.
	words    map[string]*child.Words
	watchers map[int]func()
	next     int
	closed   bool

	stop context.CancelFunc
	work sync.WaitGroup
}

// NewManager returns a manager without upstreams. ctx bounds everything that
// they will do; end it only after Close, which finishes what may not be abandoned.
func NewManager(ctx context.Context, environment *Environment) *Manager {
	if environment.Network == nil {
		environment.Network = NewNetwork()
	}
	if environment.Limits == (Limits{}) {
		environment.Limits = DefaultLimits()
	}
	environment.queues = newQueues(environment.Limits)
	environment.paces.set()
	environment.bound(environment.Limits)
	environment.journal = &journal{store: environment.Store, logger: environment.Logger}
	ctx, stop := context.WithCancel(ctx)
	m := &Manager{environment: environment, graph: transitions.Definition(), root: func() context.Context { return ctx },
		running: map[string]*Upstream{}, words: map[string]*child.Words{}, watchers: map[int]func(){}, stop: stop}
	m.work.Go(func() { m.watchClock(ctx) })
	return m
}

// Apply makes the running upstreams those of the configuration: new ones are
// started, those that differ replaced, those that are gone closed; all others are
// not touched. connect says whether new ones connect at once. Where a configuration
// cannot be used (see [Check]) nothing is changed.
func (m *Manager) Apply(ctx context.Context, configs []Config, connect bool) error {
	if err := Check(configs); err != nil {
		return err
	}
	m.applying.Lock()
	defer m.applying.Unlock()
	wanted := map[string]Config{}
	for _, c := range configs {
		wanted[c.Name] = c.withDefaults()
	}
	replaced := m.take(func(u *Upstream) bool {
		c, ok := wanted[u.config.Name]
		return !ok || !u.config.Equal(&c)
	})
	m.closeAll(ctx, replaced)
	inherited := map[string]states.Data{}
	for _, u := range replaced {
		// A change of the configuration gives the machine no further pages to open.
		inherited[u.config.Name] = states.Data{Proposals: u.Snapshot().Data.Proposals}
		if _, stays := wanted[u.config.Name]; !stays {
			u.abandon()
			m.forgetWords(u.config.Name)
		}
	}
	var failures []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if err := m.start(wanted[name], inherited[name], connect); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
	}
	m.tell()
	return errors.Join(failures...)
}

// abandon gives up the login that is open at an upstream that was removed: should it be
// configured again, a user begins another.
func (u *Upstream) abandon() {
	flow := u.Snapshot().Data.Flow
	if flow == nil {
		return
	}
	if flow.DeviceCode.IsZero() {
		u.doubt(&flow.Registration, true)
	}
	u.eraseFlow(flow.ID)
}

// forgetWords drops what the children of an upstream said that was removed.
func (m *Manager) forgetWords(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.words[name].Close()
	delete(m.words, name)
}

// take removes the upstreams that match.
func (m *Manager) take(match func(*Upstream) bool) []*Upstream {
	m.mu.Lock()
	defer m.mu.Unlock()
	var taken []*Upstream
	for name, u := range m.running {
		if match(u) {
			taken = append(taken, u)
			delete(m.running, name)
		}
	}
	return taken
}

// start runs an upstream with what its predecessor leaves it.
func (m *Manager) start(config Config, inherited states.Data, connect bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errGoingDown
	}
	if m.running[config.Name] != nil {
		return nil
	}
	words := m.words[config.Name]
	if words == nil {
		words = &child.Words{}
		m.words[config.Name] = words
	}
	u, err := newUpstream(m.root(), m.graph, config, inherited, words, m.environment)
	if err != nil {
		return err
	}
	m.running[config.Name] = u
	if connect {
		_, err = u.Connect(fsm.Process)
	}
	return err
}

func (m *Manager) closeAll(ctx context.Context, all []*Upstream) {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	var closing sync.WaitGroup
	for _, u := range all {
		closing.Go(func() { u.close(ctx) })
	}
	closing.Wait()
}

// Close closes every upstream and waits for all that they started. Refreshes and
// code exchanges that were sent are finished within [closeLimit].
func (m *Manager) Close() {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.closeAll(context.WithoutCancel(m.root()), m.take(func(*Upstream) bool { return true }))
	m.mu.Lock()
	for _, words := range m.words {
		words.Close()
	}
	m.mu.Unlock()
	m.stop()
	m.work.Wait()
	m.environment.journal.close()
}

// Get finds an upstream by its exact name; the error wraps [status.ErrUnknown] and names
// those that there are.
func (m *Manager) Get(name string) (*Upstream, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if u := m.running[name]; u != nil {
		return u, nil
	}
	return nil, status.Unknown(name, slices.Sorted(maps.Keys(m.running)))
}

// All returns the upstreams by name.
func (m *Manager) All() []*Upstream {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []*Upstream
	for _, name := range slices.Sorted(maps.Keys(m.running)) {
		all = append(all, m.running[name])
	}
	return all
}

// Upstream implements [relay.Upstreams].
func (m *Manager) Upstream(name string) (relay.Upstream, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	u, ok := m.running[name]
	if !ok {
		return nil, false
	}
	return u, true
}

// Names implements [relay.Upstreams].
func (m *Manager) Names() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.running))
}

// Watch implements [relay.Upstreams].
func (m *Manager) Watch(f func()) (stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	id := m.next
	m.watchers[id] = f
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.watchers, id)
	}
}

func (m *Manager) tell() {
	m.mu.RLock()
	all := slices.Collect(maps.Values(m.watchers))
	m.mu.RUnlock()
	for _, f := range all {
		f()
	}
}

// watchClock notices that the wall clock was set or that the machine slept, and
// has every timer computed again.
func (m *Manager) watchClock(ctx context.Context) {
	ticker := time.NewTicker(clockPeriod)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		parted := now.Round(0).Sub(last.Round(0)) - now.Sub(last)
		if parted.Abs() > clockSlack {
			m.environment.Logger.Warn("the clock was set or the machine slept; every timer is computed again", "by", parted)
			for _, u := range m.All() {
				u.runner.Rearm()
			}
		}
		last = now
	}
}

// AwaitPhase waits until the upstream is in the phase.
func (u *Upstream) AwaitPhase(ctx context.Context, phase states.Phase) error {
	_, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool {
		return transitions.PhaseOf(s) == phase
	})
	return err
}
