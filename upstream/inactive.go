package upstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"
)

// Inactive returns the upstreams in the phase [status.PhaseInactive], by name.
func (m *Manager) Inactive() ([]status.Upstream, error) {
	m.applying.Lock() // one that is being replaced is none
	defer m.applying.Unlock()
	names, err := m.environment.Store.Upstreams()
	if err != nil {
		return nil, err
	}
	all := []status.Upstream{}
	for _, name := range names {
		if _, err := m.Get(name); err == nil {
			continue
		}
		kept, err := m.environment.Store.Load(name)
		if errors.Is(err, store.ErrCorrupt) || err == nil && (kept.Token != nil || kept.Flow != nil || kept.Intent != nil) {
			all = append(all, status.Inactive(name, kept.Token, err, time.Now()))
		} else if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Logout logs out of the upstream of this name (see [Upstream.LogoutOutcome]), also
// where it is inactive: a machine is then run for that one event. Any other
// name is [status.ErrUnknown].
func (m *Manager) Logout(ctx context.Context, name string) (transitions.Outcome, error) {
	if u, err := m.Get(name); err == nil {
		return u.LogoutOutcome(ctx)
	}
	m.applying.Lock() // nobody may begin to run it meanwhile
	defer m.applying.Unlock()
	u, err := m.Get(name)
	if err == nil {
		return u.LogoutOutcome(ctx)
	}
	if u, err = m.revive(name); err != nil {
		return transitions.Outcome{}, err
	}
	defer m.closeAll(context.WithoutCancel(ctx), []*Upstream{u})
	return u.LogoutOutcome(ctx)
}

// revive returns the machine of an upstream that is not configured, without
// running it for anybody. Who gave the token may be told of its end.
func (m *Manager) revive(name string) (*Upstream, error) {
	m.mu.RLock()
	closed := m.closed
	m.mu.RUnlock()
	if closed {
		return nil, errGoingDown
	}
	names, err := m.environment.Store.Upstreams()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, name) {
		names = append(names, m.Names()...)
		slices.Sort(names)
		return nil, status.Unknown(name, slices.Compact(names))
	}
	config := Config{Name: name, Transport: HTTP}
	if kept, err := m.environment.Store.Load(name); err == nil && kept.Token != nil { // a damaged one is erased without being revoked
		config.URL, config.OAuth.Issuer = kept.Token.Resource, kept.Token.Issuer
		if config.OAuth.Resource = kept.Token.Resource; !strings.HasPrefix(kept.Token.Resource, "http") {
			config.URL = kept.Token.Issuer // a name of its own (oauth.resource), or none
		}
	}
	return newUpstream(m.root(), m.graph, config.withDefaults(), states.Data{}, &child.Words{}, m.environment)
}
