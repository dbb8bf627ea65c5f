package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/terminal"
	"mcpproxy/upstream"

	"github.com/spf13/cobra"
)

func authCommand(o *options) *cobra.Command {
	c := group("auth", "Log in to upstreams, log out, see who is logged in")
	c.AddCommand(loginCommand(o), statusCommand(o),
		logoutCommand(o),
		userCommand(o, "auth", "cancel", "Give an open login up", "the login to %s is given up\n"))
	return c
}

func loginCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "login UPSTREAM", Short: "Log in to an upstream in the browser, and wait for the outcome",
		Long: `Opens the upstream's authorization page, or shows the page of the login that is
open already, and returns at the outcome. Without a browser, open the printed
address anywhere and paste the address that the browser ends on. It works with
and without a running proxy.`,
		Example: "  mcpproxy auth login github\n  mcpproxy auth login github --no-browser", Args: exactly("UPSTREAM"),
		ValidArgsFunction: o.completeUpstream,
		RunE: func(c *cobra.Command, args []string) error {
			err := s.login(c.Context(), args[0], c.ErrOrStderr(), os.Stdin)
			if err == nil {
				terminal.Printf(c.OutOrStdout(), "logged in to %s\n", args[0])
			}
			return err
		}}
	s.browserFlags(c)
	c.Flags().BoolVar(&s.register, "register", false,
		"register a new client for this login, and give up one that is open: for a page that shows an error, as the server has forgotten "+
			"the client")
	return c
}

// login logs in at the proxy that holds the store, or as its holder. Where that one ends,
// the login is still open, and goes on at the next holder.
func (s *serveOptions) login(ctx context.Context, name string, out io.Writer, in io.Reader) error {
	var last api.Report
	input, show := make(chan string), guide(out)
	go lines(ctx, in, input)
	return s.atHolder(ctx, s.known(name), func(running *client.Client) error {
		pasting, done := context.WithCancel(ctx)
		defer done()
		go pasted(pasting, input, out, func(address string) error {
			return running.Post(pasting, "/v1/paste", url.Values{"address": {address}}, nil)
		})
		return s.loginAt(ctx, running, name, &last, show)
	})
}

// loginAt logs in at the process that holds the store, in its browser, or in the one that
// the command line names. A page that was shown at one that ended since is not opened again.
func (s *serveOptions) loginAt(ctx context.Context, running *client.Client, name string, last *api.Report, show shown) error {
	own, before := s.browser != "" && !s.noBrowser, last.URL
	o := client.LoginOptions{Elsewhere: s.noBrowser || own || before != "", Register: s.register && before == ""}
	if before != "" {
		since := last.Since
		o.Since = &since
	}
	err := running.LoginWith(ctx, name, o, func(r api.Report) {
		switch {
		case r.URL == before, own && r.URL == last.URL:
			r.Shown = states.NotShown
		case own:
			r.Shown = states.Opened
			if err := s.opener()(ctx, r.URL); err != nil {
				r.Shown, r.Detail = states.NotOpened, err.Error()
			}
		}
		*last = r
		show(r.URL, states.Shown{How: r.Shown, Detail: r.Detail}, r.Deadline)
	})
	if ctx.Err() != nil && last.URL != "" {
		return fmt.Errorf("%s: the login stays open and its page can be completed until %s, while a proxy runs; to give it up, run: "+
			"mcpproxy auth cancel %s",
			name, last.Deadline.Local().Format(time.TimeOnly), name)
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
	return upstream.Config{}, fmt.Errorf("%s: %w", s.config, status.Unknown(name, names))
}

// known says whether the configuration has the upstream.
func (s *serveOptions) known(name string) func() error {
	return func() error {
		_, err := s.find(name)
		return err
	}
}

// shown tells the user of a login's progress.
type shown func(address string, what states.Shown, deadline time.Time)

// guide tells the user what to do in the browser: the address first, and then
// what became of opening it.
func guide(out io.Writer) shown {
	var last string
	return func(address string, shown states.Shown, deadline time.Time) {
		if address != last {
			last = address
			terminal.Printf(out, "Log in at:\n\n  %s\n\nWaiting until %s. If the browser is on another machine, paste the address that it ends "+
				"on here.\n", address, deadline.Local().Format(time.TimeOnly))
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

// lines hands the lines of the input on until ctx ends.
func lines(ctx context.Context, in io.Reader, to chan<- string) {
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		select {
		case to <- strings.TrimSpace(scanner.Text()):
		case <-ctx.Done():
			return
		}
	}
}

// pasted takes addresses that a user pastes while the login is open.
func pasted(ctx context.Context, input <-chan string, out io.Writer, take func(string) error) {
	for {
		select {
		case address := <-input:
			if address == "" {
				continue
			}
			if err := take(address); err != nil {
				terminal.Printf(out, "not taken: %v\n", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
