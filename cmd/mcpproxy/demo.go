package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"mcpproxy/admin"
	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/proxy"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/terminal"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var keep bool
	c := &cobra.Command{Use: "demo", Short: "See it at work: a login, calls while tokens are renewed, a restart",
		Long: `Starts a test authorization server with an MCP server and a proxy in front of it,
on this machine and with files in a temporary directory. It logs in, calls tools
through the proxy while tokens that live five seconds are renewed, starts the
proxy again, and calls without another login. Each transition is printed.`,
		Example: "  mcpproxy demo --keep", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			return (&demo{out: c.OutOrStdout(), keep: keep}).run(c.Context())
		}}
	c.Flags().BoolVar(&keep, "keep", false, "stay up in the end, to be explored")
	return c
}

type demo struct {
	out   io.Writer
	keep  bool
	store string

	server   *oauthserver.Server
	instance *instance.Instance
	clients  *http.Server
	users    *http.Server
	address  string
	calls    int
}

func (d *demo) say(format string, args ...any) {
	terminal.Printf(d.out, "\n== "+format+"\n", args...)
}

func (d *demo) run(ctx context.Context) (err error) {
	directory, err := os.MkdirTemp("", "mcpproxy-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	d.store = filepath.Join(directory, "store.db")
	if d.server, err = oauthserver.Start(ctx, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 5 * time.Second}); err != nil {
		return err
	}
	defer d.server.Close()
	d.say("1. A proxy in front of %s, which wants a login", d.server.MCPURL())
	if err := d.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	u, err := d.instance.Manager.Get("demo")
	if err != nil {
		return err
	}
	if err := u.AwaitPhase(ctx, states.Phase(states.LoginRequired)); err != nil {
		return err
	}
	d.say("2. mcpproxy auth login demo")
	if err := u.Login(ctx, nil); err != nil {
		return err
	}
	d.say("3. A call every half second through %s, while tokens that live 5 s are renewed", d.address)
	if err := d.work(ctx, 24); err != nil {
		return err
	}
	d.say("4. The proxy ends, the token expires, the proxy starts: a refresh, and no login")
	if err := d.stop(); err != nil {
		return err
	}
	select {
	case <-time.After(6 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	if err := d.work(ctx, 2); err != nil {
		return err
	}
	counters := d.server.Counters()
	d.say("Summary: %d calls, none failed; %d authorization request, %d refreshes, %d refresh tokens used twice", d.calls, counters.Authorize,
		counters.TokenRefresh, counters.RefreshReused)
	if counters.Authorize != 1 || counters.RefreshReused != 0 || counters.TokenRefresh < 2 {
		return errors.New("the counts at the authorization server are not those of one login and single-use refresh tokens")
	}
	if d.keep {
		d.say("Staying up at %s until you interrupt. Look into it from another terminal:\n\n  statectl dump --store %[2]s\n  statectl watch "+
			"--store %[2]s", d.address, d.store)
		<-ctx.Done()
	}
	return nil
}

func (d *demo) start(ctx context.Context) error {
	config := upstream.Config{Name: "demo", Transport: upstream.HTTP, URL: d.server.MCPURL(), Settings: states.DefaultSettings()}
	i, err := instance.Start(ctx, instance.Options{StorePath: d.store, Keys: store.FileKeys(d.store + ".key"),
		Configs: []upstream.Config{config}, Connect: true, Open: visit,
		Logger: slog.New(slog.DiscardHandler), Version: version, Observe: d.observe})
	if err != nil {
		return err
	}
	listener, err := proxy.Listen("127.0.0.1:0", credential.Secret{})
	if err != nil {
		return errors.Join(err, i.Close())
	}
	control, err := admin.Listen(filepath.Join(filepath.Dir(d.store), "mcpproxy.sock"))
	if err != nil {
		return errors.Join(err, listener.Close(), i.Close())
	}
	d.instance, d.address = i, "http://"+listener.Addr().String()+"/mcp"
	d.clients = &http.Server{Handler: i.Proxy.Handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	d.users = &http.Server{Handler: admin.Handler(i, version, admin.Options{}), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = d.clients.Serve(listener) }() // ended by stop
	go func() { _ = d.users.Serve(control) }()    // ended by stop
	return nil
}

func (d *demo) stop() error {
	if d.instance == nil {
		return nil
	}
	i := d.instance
	d.instance = nil
	return errors.Join(d.users.Close(), d.clients.Close(), i.Close())
}

// visit is the user's browser: it follows the redirects of the login.
func visit(_ context.Context, target string) error {
	go func() {
		if response, err := http.Get(target); err == nil {
			_ = response.Body.Close()
		}
	}()
	return nil
}

func (d *demo) observe(e fsm.Entry) {
	if e.Disposition == fsm.Moved || e.Disposition.Refused() {
		became := e.From + " -> " + e.To
		if e.Disposition.Refused() {
			became = fmt.Sprintf("%s  refused: %s", e.From, e.Reason)
		}
		terminal.Printf(d.out, "%s  %-10s  %-22s  %s\n", e.Time.Local().Format("15:04:05.000"), e.Region, e.Event, became)
	}
}

// work calls a tool through the proxy as a client does.
func (d *demo) work(ctx context.Context, times int) error {
	client, err := mcpclient.NewStreamableHttpClient(d.address)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Start(ctx); err != nil {
		return err
	}
	if _, err := client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: "2025-11-25",
		ClientInfo: mcp.Implementation{Name: "demo", Version: version}}}); err != nil {
		return err
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := range times {
		result, err := client.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: "demo__add",
			Arguments: map[string]any{"a": n, "b": 1}}})
		if err != nil {
			return fmt.Errorf("call %d: %w", d.calls+1, err)
		}
		if text, ok := result.Content[0].(mcp.TextContent); !ok || text.Text != fmt.Sprint(n+1) {
			return fmt.Errorf("call %d answered %v", d.calls+1, result.Content)
		}
		d.calls++
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
