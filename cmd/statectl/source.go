package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"mcpproxy/admin/client"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/store"
)

// client speaks to the process that holds the store.
func (o *options) client() *client.Client {
	return client.Of(o.store, cmp.Or(o.socket, filepath.Join(filepath.Dir(o.store), "mcpproxy.sock")))
}

// open opens the store of a stopped proxy, to read.
func (o *options) open(ctx context.Context) (*store.Store, error) {
	var keys store.KeySource
	if path := os.Getenv("MCPPROXY_KEY_FILE"); path != "" {
		keys = store.FileKeys(path)
	}
	return store.Open(ctx, o.store, store.Options{ReadOnly: true, Keys: keys})
}

// statuses are all upstreams of the running proxy.
func (o *options) statuses(ctx context.Context) ([]status.Upstream, error) {
	var all []status.Upstream
	err := o.client().Get(ctx, "/v1/upstreams", &all)
	return all, err
}

// status is one upstream of the running proxy; another name is an error that suggests
// near ones.
func (o *options) status(ctx context.Context, name string) (*status.Upstream, error) {
	all, err := o.statuses(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
		names = append(names, all[i].Name)
	}
	return nil, status.Unknown(name, names)
}

// past is what is known of one upstream: its journal, and of a running proxy how it is
// now.
type past struct {
	entries []fsm.Entry
	// now is nil where no proxy runs.
	now *status.Upstream
}

// changes is how often a proxy may end, or begin to hold the store, while it is read.
const changes = 2

// again reads once more where it was told of neither a proxy nor a store that is free: one
// of them has just begun to be there.
func again[T any](read func() (T, error)) (is T, err error) {
	for range changes {
		if is, err = read(); !errors.Is(err, client.ErrNotRunning) {
			break
		}
	}
	return is, err
}

// past reads one upstream's journal, of the running proxy or from the store of a
// stopped one.
func (o *options) past(ctx context.Context, name string) (past, error) {
	return again(func() (past, error) { return o.pastNow(ctx, name) })
}

func (o *options) pastNow(ctx context.Context, name string) (past, error) {
	now, err := o.status(ctx, name)
	if errors.Is(err, client.ErrNotRunning) {
		entries, err := o.stored(ctx, name)
		return past{entries: entries}, err
	}
	if err != nil {
		return past{}, err
	}
	p := past{now: now}
	err = o.client().Get(ctx, "/v1/upstreams/"+url.PathEscape(name)+"/journal", &p.entries)
	return p, err
}

// stored reads a journal from the store of a stopped proxy.
func (o *options) stored(ctx context.Context, name string) (entries []fsm.Entry, err error) {
	err = o.inStore(ctx, func(s *store.Store) error {
		names, err := s.Upstreams()
		if err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			return status.Unknown(name, names)
		}
		lines, err := s.Journal(name, 0)
		for _, line := range lines {
			var e fsm.Entry
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("an entry of %s's journal in %s: %w", name, o.store, err)
			}
			entries = append(entries, e)
		}
		return err
	})
	return entries, err
}

// inStore looks into the store of a stopped proxy.
func (o *options) inStore(ctx context.Context, look func(*store.Store) error) (err error) {
	s, err := o.open(ctx)
	if errors.Is(err, store.ErrAbsent) {
		return fmt.Errorf("%w, and there is no store at %s to look into; start a proxy with: mcpproxy serve, or name another store with --store",
			client.ErrNotRunning, o.store)
	}
	if err != nil {
		return fmt.Errorf("%w, and its store cannot be read: %w", client.ErrNotRunning, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return look(s)
}

// names are the upstreams of the running proxy, or in the store of a stopped one.
func (o *options) names(ctx context.Context) ([]string, error) {
	return again(func() ([]string, error) { return o.namesNow(ctx) })
}

func (o *options) namesNow(ctx context.Context) (names []string, err error) {
	all, err := o.statuses(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		err = o.inStore(ctx, func(s *store.Store) error {
			names, err = s.Upstreams()
			return err
		})
		return names, err
	}
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names, err
}
