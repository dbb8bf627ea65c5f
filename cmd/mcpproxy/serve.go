package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"mcpproxy/admin"
	"mcpproxy/credential"
	"mcpproxy/instance"
	"mcpproxy/metrics"
	"mcpproxy/proxy"
	"mcpproxy/telemetry"
	"mcpproxy/ui"
	"mcpproxy/upstream/browser"
	"mcpproxy/userfile"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// defaultAddress is where clients find the proxy.
const defaultAddress = "127.0.0.1:8930"

type serveOptions struct {
	*options
	listen, tokenFile, browser string
	hosts, origins             []string
	noBrowser, allowPrivate    bool
	register                   bool
	metrics, ui                bool
	// started marks a proxy that a bridge has started, and no user.
	started bool
}

func serveCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "serve", Short: "Run the proxy",
		Long: `Runs the proxy until it is interrupted. Clients find all upstreams at
http://127.0.0.1:8930/mcp, with tools named <upstream>__<tool>, and one upstream
with its names unchanged at http://127.0.0.1:8930/mcp/<upstream>. A change of the
configuration file is applied at once, and again at SIGHUP.`,
		Example: "  mcpproxy serve\n  mcpproxy serve --listen 0.0.0.0:8930 --token-file ./token --allow-host proxy.example.com",
		Args:    exactly(), RunE: func(c *cobra.Command, _ []string) error { return s.run(c.Context()) }}
	c.Flags().StringVar(&s.listen, "listen", defaultAddress, "address for clients")
	c.Flags().StringVar(&s.tokenFile, "token-file", "", "file with the bearer token that clients must send")
	c.Flags().StringSliceVar(&s.hosts, "allow-host", nil, "name by which clients may call the proxy, beside localhost and addresses")
	c.Flags().StringSliceVar(&s.origins, "allow-origin", nil, "origin of web pages that may call the proxy, as https://app.example.com")
	c.Flags().BoolVar(&s.metrics, "metrics", false, "serve metrics for Prometheus at /metrics (docs/metrics.md)")
	c.Flags().BoolVar(&s.ui, "ui", false, "open the page for users in the browser (see mcpproxy ui)")
	c.Flags().BoolVar(&s.started, "started", false, "started by a bridge: it gives way to a proxy that a user starts")
	_ = c.Flags().MarkHidden("started") // the flag is there
	s.browserFlags(c)
	return c
}

func (s *serveOptions) browserFlags(c *cobra.Command) {
	c.Flags().BoolVar(&s.noBrowser, "no-browser", false, "open no browser; print the address instead")
	c.Flags().StringVar(&s.browser, "browser", "", "command that opens an address")
	c.Flags().BoolVar(&s.allowPrivate, "allow-private", false,
		"allow authorization servers in a private network to MCP servers on the internet")
}

func (s *serveOptions) opener() browser.Opener {
	switch {
	case s.noBrowser:
		return browser.None
	case s.browser != "":
		return browser.Command(strings.Fields(s.browser)...)
	}
	return browser.Default
}

func (s *serveOptions) token() (credential.Secret, error) {
	if s.tokenFile == "" {
		return credential.Secret{}, nil
	}
	text, err := userfile.Read(s.tokenFile)
	if err != nil {
		return credential.Secret{}, fmt.Errorf("the token for clients cannot be read: %w; write one of at least 16 characters there", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 16 {
		return credential.Secret{}, fmt.Errorf("the token in %s is shorter than 16 characters; write a longer one there", s.tokenFile)
	}
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) { // as clients have to send it (RFC 6750)
		return credential.Secret{}, fmt.Errorf("the token in %s has a blank, a line break or a character beyond ASCII in it, and no client "+
			"could send it; "+
			"write one line of letters and digits there, as UTF-8", s.tokenFile)
	}
	return credential.NewSecret(token), nil
}

// run serves until ctx ends.
func (s *serveOptions) run(ctx context.Context) error {
	file, err := s.load()
	if err != nil {
		return err
	}
	token, err := s.token()
	if err != nil {
		return err
	}
	listener, err := proxy.Listen(s.listen, token)
	if err != nil {
		return s.cannotListen(ctx, err)
	}
	defer listener.Close()
	observer, err := telemetry.Start(ctx, os.LookupEnv, version, s.logger())
	if err != nil {
		return err
	}
	logger := observer.Logger(s.logger())
	slog.SetDefault(logger) // what net/http says of connections is a line like all others
	defer stopTelemetry(ctx, observer, logger)
	var counts *metrics.Metrics
	if s.metrics {
		counts = metrics.New(version)
	}
	i, err := s.take(ctx, instance.Options{
		StorePath: s.store, Keys: s.keys(),
		Configs: file.Upstreams, Limits: file.Limits, ClientLimits: file.Clients, Connect: true,
		Open: s.opener(), AllowPrivate: s.allowPrivate, LoginURL: loginURL(listener, token),
		Token: token, AllowedHosts: s.hosts, AllowedOrigins: s.origins,
		Metrics: counts, Telemetry: observer, Logger: logger, Version: version,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := i.Close(); err != nil {
			logger.Error("closing the store", "error", err)
		}
	}()
	control, err := admin.Listen(s.socketPath())
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	configuration := s.follow(file, logger)
	var page *ui.Page
	api := admin.Handler(i, version, admin.Options{
		Reload:   func(ctx context.Context) error { return configuration.reload(ctx, i) },
		Problems: func() []string { return *configuration.problems.Load() },
		Invite:   func() (string, error) { return page.Invite(listener.Addr()) },
		Yield:    s.yields(logger, end),
	})
	page = ui.New(api, version)
	clients := proxy.NewHTTPServer(beside(page, observer.Accept(i.Proxy.Handler())))
	users := admin.NewHTTPServer(api)
	logger.Info("serving", "clients", "http://"+listener.Addr().String()+"/mcp", "socket", s.socketPath(), "upstreams", len(file.Upstreams),
		"key", i.Store.KeyOrigin())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ended(clients.Serve(listener)) })
	group.Go(func() error { return ended(users.Serve(control)) })
	group.Go(func() error { configuration.watch(ctx, file, i); return nil })
	group.Go(func() error { configuration.hangups(ctx, i); return nil })
	group.Go(func() error {
		<-ctx.Done()
		return errors.Join(clients.Close(), users.Close())
	})
	if s.ui {
		group.Go(func() error { s.openPage(ctx, page, listener.Addr(), logger); return nil })
	}
	return group.Wait()
}

// beside serves the page beside what clients are served.
func beside(page *ui.Page, clients http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ui/", page.Handler())
	mux.Handle("/", clients)
	return mux
}

// openPage opens the page; where that does not work users are told how to.
func (s *serveOptions) openPage(ctx context.Context, page *ui.Page, at net.Addr, logger *slog.Logger) {
	address, err := page.Invite(at)
	followed := false
	switch {
	case err != nil:
	case s.noBrowser:
		err = browser.ErrNone
	default:
		followed, err = s.showPage(ctx, address)
	}
	switch {
	case ctx.Err() != nil || followed:
	case err == nil:
		logger.Warn("the browser has not come yet; if it could not read the file that it was given, run: mcpproxy ui --no-browser")
	default:
		logger.Warn("the page was not opened; open it with: mcpproxy ui", "error", err)
	}
}

// cannotListen says who has the address: another proxy with this store, or
// another user.
func (s *serveOptions) cannotListen(ctx context.Context, err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	if who, unknown := s.client().Who(ctx); unknown == nil && !who.Temporary {
		return s.runsAlready(who.PID, syscall.EADDRINUSE)
	}
	return err
}

// stopLimit bounds how long the last traces and logs may take to be delivered.
const stopLimit = 3 * time.Second

func stopTelemetry(ctx context.Context, t *telemetry.Telemetry, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	if err := t.Stop(ctx); err != nil {
		logger.Warn("the last traces and logs were not delivered", "error", err)
	}
}

// loginURL is where users begin logins at this proxy; nil where clients need a
// token, which a browser does not send.
func loginURL(listener net.Listener, token credential.Secret) func(string) string {
	if !token.IsZero() {
		return nil
	}
	return func(name string) string { return "http://" + listener.Addr().String() + "/login/" + name }
}

func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
