// Package instance puts a proxy together: store, callback listener, upstreams
// and downstream face. Programs embed it; cmd/mcpproxy is one of them.
//
// It promises that Close ends everything that Start began, in an order that
// loses nothing: first the upstreams, which finish what may not be abandoned,
// then the listeners, then the store.
package instance

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mcpproxy/credential"
	"mcpproxy/feed"
	"mcpproxy/fsm"
	"mcpproxy/metrics"
	"mcpproxy/proxy"
	"mcpproxy/store"
	"mcpproxy/telemetry"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"
	"mcpproxy/upstream/callback"
	"mcpproxy/upstream/oauth"
)

// Options of an instance.
type Options struct {
	StorePath string
	Keys      store.KeySource
	// Socket is where the instance can be spoken to; a second process is told.
	Socket string
	// LockTimeout is how long a store that another process holds is waited for; 0 means a
	// second.
	LockTimeout time.Duration
	Configs     []upstream.Config
	// Limits bound what is under way at once; the zero value is the default.
	Limits upstream.Limits
	// ClientLimits bound what clients may have under way; the zero value is the default.
	ClientLimits proxy.Limits
	// Connect says whether upstreams connect at once.
	Connect bool
	// Open opens a login's page; nil opens none, and the page's address is shown.
	Open browser.Opener
	// Logger may be nil, for one that says nothing.
	Logger  *slog.Logger
	Version string
	// Token is demanded of downstream clients, if set.
	Token credential.Secret
	// AllowedHosts and AllowedOrigins are those of [proxy.Options].
	AllowedHosts, AllowedOrigins []string
	// LoginURL is where a person can begin the login of an upstream.
	LoginURL func(name string) string
	Observe  func(fsm.Entry)
	// Metrics, if set, counts what the upstreams do, and is served at /metrics.
	Metrics *metrics.Metrics
	// Telemetry, if set, sends spans of calls and jobs.
	Telemetry *telemetry.Telemetry
	// AllowPrivate lets the authorization servers of all upstreams have private addresses.
	AllowPrivate bool
}

// Instance is a running proxy.
type Instance struct {
	Store    *store.Store
	Manager  *upstream.Manager
	Proxy    *proxy.Server
	Callback *callback.Server
	// Feed has the last transitions of all upstreams.
	Feed *feed.Feed
}

// Start opens the store and starts the upstreams. Errors are the store's.
func Start(ctx context.Context, o Options) (*Instance, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Open == nil {
		o.Open = browser.None
	}
	kept, err := store.Open(ctx, o.StorePath, store.Options{Logger: o.Logger, Keys: o.Keys, Socket: o.Socket, LockTimeout: o.LockTimeout})
	if err != nil {
		return nil, err
	}
	o.Logger.Info("the store is open", "path", kept.Path(), "key", kept.KeyOrigin())
	listener := callback.NewServer(o.Logger)
	last := feed.New(0)
	o.Observe = both(last.Publish, o.Observe)
	environment := &upstream.Environment{Store: kept, Callback: listener, Open: o.Open,
		Authorization: oauth.Clients(), Logger: o.Logger, Version: o.Version, Limits: o.Limits, LoginURL: o.LoginURL, Observe: o.Observe}
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
	face := proxy.Options{Upstreams: manager, Logger: o.Logger, Version: o.Version, Token: o.Token, AllowedHosts: o.AllowedHosts, AllowedOrigins: o.AllowedOrigins, Login: login, Limits: o.ClientLimits}
	if o.Metrics != nil {
		o.Metrics.Watch(func() []metrics.Now { return now(manager) })
		face.Metrics = o.Metrics.Handler()
	}
	i := &Instance{Store: kept, Manager: manager, Callback: listener, Feed: last, Proxy: proxy.New(face)}
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

// Close ends the instance.
func (i *Instance) Close() error {
	i.Proxy.Close()
	i.Manager.Close()
	i.Callback.Close()
	return i.Store.Close()
}
