package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"mcpproxy/admin"
	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/terminal"
	"mcpproxy/upstream"

	"github.com/spf13/cobra"
)

func authCommand(o *options) *cobra.Command {
	c := group("auth", "Log in to upstreams, log out, see who is logged in")
	c.AddCommand(loginCommand(o), statusCommand(o),
		logoutCommand(o),
		wish(o, "auth", "cancel", "Give an open login up", "the login to %s is given up\n"))
	return c
}

func loginCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "login UPSTREAM", Short: "Log in to an upstream in the browser, and wait for the outcome",
		Long: `Opens the upstream's authorization page, or shows the page of the login that is
open already, and returns at the outcome. Without a browser, open the printed
address anywhere and paste the address that the browser ends on. It works with
and without a running proxy.`,
		Example: "  mcpproxy auth login github\n  mcpproxy auth login github --no-browser", Args: exactly("UPSTREAM"), ValidArgsFunction: o.completeUpstream,
		RunE: func(c *cobra.Command, args []string) error {
			err := s.login(c.Context(), args[0], c.ErrOrStderr(), os.Stdin)
			if err == nil {
				terminal.Printf(c.OutOrStdout(), "logged in to %s\n", args[0])
			}
			return err
		}}
	s.browserFlags(c)
	c.Flags().BoolVar(&s.register, "register", false, "register a new client for this login, and give up one that is open: for a page that shows an error, as the server has forgotten the client")
	return c
}

func (s *serveOptions) login(ctx context.Context, name string, out io.Writer, in io.Reader) error {
	client, show := s.client(), guide(out)
	if client.Running(ctx) {
		return s.loginAt(ctx, client, name, out, in)
	}
	config, err := s.find(name)
	if err != nil {
		return err
	}
	i, err := instance.Start(ctx, instance.Options{StorePath: s.store, Keys: s.keys(), Configs: []upstream.Config{config}, Open: s.opener(), Logger: quiet(s.options), Version: version, AllowPrivate: s.allowPrivate})
	if err != nil {
		return err
	}
	u, err := i.Manager.Get(name)
	if err == nil {
		go pasted(ctx, in, out, func(address string) error {
			parsed, err := url.Parse(address)
			if err != nil {
				return err
			}
			_, err = i.Callback.Pasted(ctx, parsed.Query())
			return err
		})
		err = u.LoginWith(ctx, upstream.LoginOptions{Register: s.register}, func(p upstream.Progress) { show(p.URL, p.Shown, p.Deadline) })
	}
	return errors.Join(err, i.Close())
}

// loginAt logs in at the running proxy, in its browser, or in the one that the command
// line names.
func (s *serveOptions) loginAt(ctx context.Context, client *admin.Client, name string, out io.Writer, in io.Reader) error {
	go pasted(ctx, in, out, func(address string) error {
		return client.Post(ctx, "/v1/paste", url.Values{"address": {address}}, nil)
	})
	show := guide(out)
	own := s.browser != "" && !s.noBrowser
	var last admin.Report
	err := client.LoginWith(ctx, name, upstream.LoginOptions{Elsewhere: s.noBrowser || own, Register: s.register}, func(r admin.Report) {
		if own && r.URL != last.URL {
			r.Shown = states.Opened
			if err := s.opener()(ctx, r.URL); err != nil {
				r.Shown, r.Detail = states.NotOpened, err.Error()
			}
		} else if own {
			r.Shown = states.NotShown
		}
		last = r
		show(r.URL, states.Shown{How: r.Shown, Detail: r.Detail}, r.Deadline)
	})
	if ctx.Err() != nil && last.URL != "" {
		return fmt.Errorf("%s: the login stays open and its page can be completed until %s; to give it up, run: mcpproxy auth cancel %s", name, last.Deadline.Local().Format(time.TimeOnly), name)
	}
	return err
}

func (s *serveOptions) find(name string) (upstream.Config, error) {
	file, err := s.load()
	if err != nil {
		return upstream.Config{}, err
	}
	var names []string
	for _, c := range file.Upstreams {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return upstream.Config{}, fmt.Errorf("%s: %w", s.config, upstream.Unknown(name, names))
}

// guide tells the person what to do in the browser: the address first, and then
// what became of opening it.
func guide(out io.Writer) func(address string, shown states.Shown, deadline time.Time) {
	var last string
	return func(address string, shown states.Shown, deadline time.Time) {
		if address != last {
			last = address
			terminal.Printf(out, "Log in at:\n\n  %s\n\nWaiting until %s. If the browser is on another machine, paste the address that it ends on here.\n", address, deadline.Local().Format(time.TimeOnly))
			if hint := forwarding(os.Getenv("SSH_CONNECTION"), address); hint != "" {
				terminal.Printf(out, "%s\n", hint)
			}
		}
		if said := shown.String(); said != "" {
			terminal.Printf(out, "%s%s.\n", strings.ToUpper(said[:1]), said[1:])
		}
	}
}

// forwarding is how the browser's return reaches this machine over SSH without
// pasting. connection is what the SSH server says of the connection: the client's
// address and port, and this machine's.
func forwarding(connection, address string) string {
	ends := strings.Fields(connection)
	page, err := url.Parse(address)
	if len(ends) != 4 || err != nil {
		return ""
	}
	back, err := url.Parse(page.Query().Get("redirect_uri"))
	if err != nil || back.Port() == "" {
		return ""
	}
	return fmt.Sprintf("Or forward the port of the browser's return first: ssh -L %[1]s:127.0.0.1:%[1]s %[2]s", back.Port(), ends[2])
}

// pasted takes addresses that a person pastes while the login is open.
func pasted(ctx context.Context, in io.Reader, out io.Writer, take func(string) error) {
	lines := bufio.NewScanner(in)
	for ctx.Err() == nil && lines.Scan() {
		address := strings.TrimSpace(lines.Text())
		if address == "" {
			continue
		}
		if err := take(address); err != nil {
			terminal.Printf(out, "not taken: %v\n", err)
		}
	}
}
