package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"

	"mcpproxy/admin/api"
	"mcpproxy/config"
	"mcpproxy/instance"
	"mcpproxy/status"
	"mcpproxy/terminal"
)

// configuration is the file that a running proxy follows.
type configuration struct {
	load   func() (*config.File, error)
	logger *slog.Logger
	// turn is held by who reads and applies the file, so that what is read last is
	// applied last.
	turn chan *config.File
	// problems are what is wrong with the file now, beside the entries of upstreams, or
	// why it was not applied.
	problems atomic.Pointer[[]string]
}

// follow returns the configuration that was read at the start.
func (o *options) follow(file *config.File, logger *slog.Logger) *configuration {
	c := &configuration{load: o.load, logger: logger, turn: make(chan *config.File, 1)}
	c.turn <- file
	c.said(file.Problems)
	if file.Absent {
		logger.Warn("there is no configuration file yet; add an upstream with: mcpproxy upstream add", "file", o.config)
	}
	return c
}

// said logs all problems, and keeps those that no upstream has.
func (c *configuration) said(problems []*config.Error) {
	var ofNone []string
	for _, p := range problems {
		c.logger.Error("the configuration has a problem; everything else of it is used", "problem", p)
		if p.Upstream == "" {
			ofNone = append(ofNone, p.Error())
		}
	}
	c.problems.Store(&ofNone)
}

// reload applies what the file says now. One that is gone, or cannot be used as a
// whole, changes nothing.
func (c *configuration) reload(ctx context.Context, i *instance.Instance) error {
	var before *config.File
	select {
	case before = <-c.turn:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	after := before
	defer func() { c.turn <- after }()
	file, err := c.load()
	if err == nil && file.Absent && len(before.Upstreams) > 0 {
		err = errors.New("the file is gone; put it back, or remove upstreams with: mcpproxy upstream remove")
	}
	if err != nil {
		c.problems.Store(&[]string{"not applied, and what it said before goes on: " + err.Error()})
		return err
	}
	after = file
	c.said(file.Problems)
	i.Manager.Limit(file.Limits)
	i.Proxy.Limit(file.Clients)
	return i.Manager.Apply(ctx, file.Upstreams, true)
}

// watch reloads the configuration whenever its file has changed.
func (c *configuration) watch(ctx context.Context, file *config.File, i *instance.Instance) {
	file.Watch(ctx, func(ctx context.Context) { c.apply(ctx, i) })
}

// hangups reloads the configuration at each SIGHUP, as daemons do.
func (c *configuration) hangups(ctx context.Context, i *instance.Instance) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for {
		select {
		case <-hangups:
			c.apply(ctx, i)
		case <-ctx.Done():
			return
		}
	}
}

// apply is reload for what nobody waits for: the outcome is logged.
func (c *configuration) apply(ctx context.Context, i *instance.Instance) {
	if err := c.reload(ctx, i); err != nil {
		c.logger.Error("the configuration was not applied; the one before goes on", "error", err)
		return
	}
	c.logger.Info("the configuration was applied")
}

// sayProblems says what is wrong with the running proxy's configuration beside the
// entries of upstreams.
func (o *options) sayProblems(ctx context.Context, out io.Writer) {
	var running api.Version
	if o.client().Get(ctx, "/v1/version", &running) == nil {
		for _, problem := range running.Problems {
			terminal.Printf(out, "the configuration: %s\n", problem)
		}
	}
}

// sayUnusable says that and which upstreams cannot be used, and that there is none of the
// name that alone is wanted, if one is; it is served once it is there.
func (o *options) sayUnusable(ctx context.Context, out io.Writer, only string) {
	o.sayProblems(ctx, out)
	var all []status.Upstream
	if o.client().Get(ctx, "/v1/upstreams", &all) == nil {
		var names []string
		for i := range all {
			names = append(names, all[i].Name)
		}
		if only != "" && !slices.Contains(names, only) {
			terminal.PrintError(out, "mcpproxy", status.Unknown(only, names))
		}
		for _, line := range unusable(all) {
			terminal.Printf(out, "mcpproxy: %s\n", line)
		}
	}
}

// unusable says, for each upstream whose entry cannot be used, why.
func unusable(all []status.Upstream) []string {
	var lines []string
	for _, s := range all {
		if s.EntryInvalid() && s.CredentialError != nil {
			lines = append(lines, s.Name+" cannot be used: "+s.CredentialError.Text)
		}
	}
	return lines
}
