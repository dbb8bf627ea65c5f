// Package instance puts a proxy together: store, callback listener, upstreams
// and downstream face. Programs embed it; cmd/mcpproxy is one of them.
//
//	i, err := instance.Start(ctx, instance.Options{
//		StorePath: "store.db",
//		Connect:   true,
//		Configs: []upstream.Config{
//			{Name: "github", URL: "https://mcp.example.com/mcp"},
//			{Name: "files", Command: "mcp-files"},
//		},
//	})
//	if err != nil {
//		return err
//	}
//	defer i.Close()
//	http.Handle("/", i.Proxy.Handler()) // /mcp, /mcp/NAME and /login/NAME
//
// It promises that Start names every option that cannot be used, and begins nothing
// then; that it opens no port but the callback's while a login is open, and writes no
// file but the store, its lock and its key; and that Close ends everything that Start
// began, in an order that loses nothing: first what clients wait for, then the upstreams,
// which finish what may not be abandoned, then the listeners, then the store.
package instance

import (
	"context"
	"errors"
	"sync"

	"mcpproxy/feed"
	"mcpproxy/fsm"
	"mcpproxy/metrics"
	"mcpproxy/proxy"
	"mcpproxy/store"
	"mcpproxy/upstream"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// Instance is a running proxy.
type Instance struct {
	Store *store.Store
	// Manager has the upstreams.
	Manager *upstream.Manager
	// Proxy is what clients are served.
	Proxy *proxy.Server
	// Callback listens for the ends of logins.
	Callback *callback.Server
	// Feed has the last transitions of all upstreams.
	Feed *feed.Feed

	close func() error
}

// Start opens the store and starts the upstreams; it does not wait until they are
// connected. ctx bounds the start, as the wait for a store that another process has: what
// was started goes on when it ends, until [Instance.Close]. The error joins an
// [OptionError] for each option that cannot be used, or is the store's.
func Start(ctx context.Context, o Options) (*Instance, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.fill()
	kept, err := store.Open(ctx, o.StorePath, store.Options{Logger: o.Logger, Keys: o.Keys, Socket: o.Socket, LockTimeout: o.LockTimeout})
	if err != nil {
		return nil, err
	}
	o.Logger.Info("the store is open", "path", kept.Path(), "key", kept.KeyOrigin())
	listener := callback.NewServer(o.Logger)
	last := feed.New(0)
	o.Observe = both(last.Publish, o.Observe)
	environment := &upstream.Environment{
		Store:         kept,
		Callback:      listener,
		Open:          o.Open,
		Authorization: oauth.Clients(),
		Logger:        o.Logger,
		Version:       o.Version,
		Limits:        o.Limits,
		LoginURL:      o.LoginURL,
		Observe:       o.Observe,
	}
	if o.AllowPrivate {
		environment.Reach = oauth.Private
	}
	o.observe(environment)
	manager := upstream.NewManager(context.WithoutCancel(ctx), environment)
	login := func(ctx context.Context, name string) (string, error) {
		u, err := manager.Get(name)
		if err != nil {
			return "", err
		}
		return u.LoginPage(ctx)
	}
	face := proxy.Options{
		Upstreams:      manager,
		Logger:         o.Logger,
		Version:        o.Version,
		Token:          o.Token,
		AllowedHosts:   o.AllowedHosts,
		AllowedOrigins: o.AllowedOrigins,
		Login:          login,
		Limits:         o.ClientLimits,
	}
	if o.Metrics != nil {
		o.Metrics.Watch(func() []metrics.Now { return now(manager) })
		face.Metrics = o.Metrics.Handler()
	}
	i := &Instance{Store: kept, Manager: manager, Callback: listener, Feed: last, Proxy: proxy.New(face)}
	i.close = sync.OnceValue(i.end)
	if err := manager.Apply(ctx, o.Configs, o.Connect); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

func both(first, second func(fsm.Entry)) func(fsm.Entry) {
	if second == nil {
		return first
	}
	return func(entry fsm.Entry) {
		first(entry)
		second(entry)
	}
}

// Close ends the instance and waits for all that it started: calls are ended, and a
// refresh or a code exchange that was sent is finished, for 15 seconds at most. It is
// called after the HTTP server round Proxy has been closed. What an upstream is asked
// afterwards it answers with an error. Closing again waits for the first, and returns
// the same.
func (i *Instance) Close() error { return i.close() }

func (i *Instance) end() error {
	i.Proxy.Close()
	i.Manager.Close()
	i.Callback.Close()
	return i.Store.Close()
}
