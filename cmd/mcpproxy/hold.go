package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"mcpproxy/admin"
	"mcpproxy/admin/client"
	"mcpproxy/instance"
	"mcpproxy/store"
)

// One process holds the store, and whoever holds it serves the socket. A command that
// finds it held asks the holder; a proxy that starts is given the store by a holder that
// is there for a command of its own, or that a bridge has started.

const (
	// holderLimit is how long a store that another process holds is waited for, holderLock
	// how long in one try, and holderPoll the pause between two.
	holderLimit = 30 * time.Second
	holderLock  = 20 * time.Millisecond
	holderPoll  = 20 * time.Millisecond
	// grace is how long a command that was asked for the store goes on with what it does:
	// a browser that is on its way back finds nobody while the holder changes.
	grace = 3 * time.Second
	// lastWords is how long a holder that ends lets answers come to those who wait for them.
	lastWords = time.Second
	// precedence is how long commands leave the store to a proxy that starts, after a
	// holder has ended.
	precedence = 200 * time.Millisecond
	// holders is how many of them a command goes through, each of which ends.
	holders = 50
)

// take starts an instance that stays.
func (s *serveOptions) take(ctx context.Context, with instance.Options) (*instance.Instance, error) {
	with.LockTimeout, with.Socket = holderLock, s.holderSocket()
	running := s.client()
	for deadline := time.Now().Add(holderLimit); ; {
		i, err := instance.Start(ctx, with)
		var held *store.LockedError
		if !errors.As(err, &held) || mute(held) {
			return i, err
		}
		switch yields, asked := running.Yield(ctx, s.started); {
		case asked == nil && !yields:
			return nil, s.runsAlready(held.PID, store.ErrLocked)
		case asked != nil && !errors.Is(asked, client.ErrNotRunning):
			return nil, fmt.Errorf("%w; asking its holder for it: %w", err, asked)
		}
		if !await(ctx, deadline) {
			return nil, err
		}
	}
}

// holderSocket is the socket as it is named to those who are in other directories.
func (o *options) holderSocket() string {
	if full, err := filepath.Abs(o.socketPath()); err == nil {
		return full
	}
	return o.socketPath()
}

func (s *serveOptions) runsAlready(pid int, why error) error {
	return fmt.Errorf("a proxy is running already (process %d, socket %s): use that one (mcpproxy upstream list shows what it does), or "+
		"end it first; "+
		"a second one needs an address and a store of its own (--listen, --store): %w", pid, s.socketPath(), why)
}

// mute reports whether a holder cannot be asked: another program, with this one within.
func mute(held *store.LockedError) bool { return held.PID != 0 && held.Socket == "" }

// await waits for a moment; false says that the time for that is over.
func await(ctx context.Context, deadline time.Time) bool {
	select {
	case <-time.After(holderPoll):
		return time.Now().Before(deadline)
	case <-ctx.Done():
		return false
	}
}

// yields is what a proxy answers to another one that wants its store: one that a user has
// started stays, and one that a bridge has started gives way to that.
func (s *serveOptions) yields(logger *slog.Logger, end func()) func(started bool) bool {
	return func(started bool) bool {
		if started || !s.started {
			return false
		}
		logger.Info("a proxy that a user has started takes over; this one ends")
		time.AfterFunc(holderPoll, end) // the answer goes out first
		return true
	}
}

// atHolder has something done at the process that holds the store: at the running proxy
// or, where there is none, at this one for as long as that takes. Where the holder ends
// meanwhile it is done again at the next one. check is asked before the store is opened.
func (s *serveOptions) atHolder(ctx context.Context, check func() error, do func(*client.Client) error) error {
	running := s.client()
	for tried, from := 1, time.Now(); ; tried, from = tried+1, time.Now().Add(precedence) {
		end, err := s.holder(ctx, running, from, check)
		if err != nil {
			return err
		}
		err = do(running)
		ended := end()
		if tried == holders || ctx.Err() != nil || !errors.Is(err, client.ErrNotRunning) && !errors.Is(err, client.ErrEnded) {
			return errors.Join(err, ended)
		}
	}
}

// holder returns when a process answers that holds the store; from a time on this one is
// made that where there is none, until the returned function is called.
func (s *serveOptions) holder(ctx context.Context, running *client.Client, from time.Time,
	check func() error) (end func() error, err error) {
	for deadline := from.Add(holderLimit); ; {
		if _, err := running.Who(ctx); !errors.Is(err, client.ErrNotRunning) {
			return func() error { return nil }, err
		}
		if time.Now().After(from) {
			if err := check(); err != nil {
				return nil, err
			}
			var held *store.LockedError
			if end, err = s.hold(ctx); !errors.As(err, &held) || mute(held) {
				return end, err
			}
		}
		if !await(ctx, deadline) {
			return nil, errors.Join(err, ctx.Err())
		}
	}
}

// hold holds the store until the returned function is called, or a proxy asks for it.
func (s *serveOptions) hold(ctx context.Context) (end func() error, err error) {
	file, err := s.load()
	if err != nil {
		return nil, err
	}
	i, err := instance.Start(ctx, instance.Options{
		StorePath: s.store, Keys: s.keys(), Socket: s.holderSocket(), LockTimeout: holderLock,
		Configs: file.Upstreams, Limits: file.Limits, AllowPrivate: s.allowPrivate,
		Open: s.opener(), Logger: quiet(s.options), Version: version,
	})
	if err != nil {
		return nil, err
	}
	control, err := admin.Listen(s.socketPath())
	if err != nil {
		return nil, errors.Join(err, i.Close())
	}
	asked, stop, ended := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	users := admin.NewHTTPServer(admin.Handler(i, version, admin.Options{Temporary: true, Yield: func(bool) bool {
		select {
		case asked <- struct{}{}:
		default: // it is ending
		}
		return true
	}}))
	go func() { _ = users.Serve(control) }() // ends with Close
	go func() {
		limit := lastWords
		select {
		case <-asked:
			select {
			case <-time.After(grace):
				limit = 0 // the login is still open, and goes on elsewhere
			case <-stop:
			}
		case <-stop:
		}
		ended <- errors.Join(closeSoon(users, limit), i.Close())
	}()
	return func() error { close(stop); return <-ended }, nil
}

// closeSoon closes a server once its answers are out, within a limit.
func closeSoon(server *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}
