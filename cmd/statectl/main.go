// Command statectl looks into upstreams' state machines: of a running proxy, or
// in the store of a stopped one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"mcpproxy/admin"
	"mcpproxy/diagrams"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
)

// Exit codes; those of mcpproxy.
const (
	exitError   = 1
	exitUsage   = 2
	exitNoProxy = 6
)

var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "statectl:", err)
	switch {
	case errors.Is(err, admin.ErrNotRunning):
		os.Exit(exitNoProxy)
	case errors.Is(err, errCounterexample):
		os.Exit(exitCounterexample)
	case errors.Is(err, errUsage), errors.Is(err, upstream.ErrUnknown):
		os.Exit(exitUsage)
	}
	os.Exit(exitError)
}

type options struct {
	store, socket string
	json          bool
}

func root() *cobra.Command {
	o := &options{}
	c := &cobra.Command{Use: "statectl", Short: "Look into upstreams' state machines", SilenceUsage: true, SilenceErrors: true, Args: usage(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
		Example: "  statectl dump\n  statectl dump github --json\n  statectl history github\n  statectl graph --region credential --format mermaid"}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, c.CommandPath())
	})
	c.PersistentFlags().StringVar(&o.store, "store", filepath.Join(xdg.DataHome, "mcpproxy", "store.db"), "store of a stopped proxy")
	c.PersistentFlags().StringVar(&o.socket, "socket", "", "socket of the running proxy (default: beside the store)")
	c.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON")
	c.AddCommand(
		&cobra.Command{Use: "dump [UPSTREAM]", Short: "Print each upstream's states, timers, token facts, last refusals and what you can do", Args: usage(cobra.MaximumNArgs(1)), ValidArgsFunction: o.completeUpstream,
			Example: "  statectl dump\n  statectl dump github --json",
			RunE:    func(c *cobra.Command, args []string) error { return o.dump(c.Context(), c.OutOrStdout(), args) }},
		&cobra.Command{Use: "history UPSTREAM", Short: "Print the upstream's journal, accepted and refused events", Args: usage(cobra.ExactArgs(1)), ValidArgsFunction: o.completeUpstream,
			Example: "  statectl history github",
			RunE:    func(c *cobra.Command, args []string) error { return o.history(c.Context(), c.OutOrStdout(), args[0]) }},
		o.verifyCommand(),
		graphCommand())
	return c
}

// usage marks what is wrong with the arguments as a wrong command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return fmt.Errorf("%w: %w; see %s --help", errUsage, err, c.CommandPath())
		}
		return nil
	}
}

func (o *options) client() *admin.Client {
	if o.socket != "" {
		return admin.NewClient(o.socket)
	}
	return admin.NewClient(filepath.Join(filepath.Dir(o.store), "mcpproxy.sock"))
}

func (o *options) dump(ctx context.Context, out io.Writer, args []string) error {
	var all []upstream.Status
	err := o.client().Get(ctx, "/v1/upstreams", &all)
	if errors.Is(err, admin.ErrNotRunning) {
		return o.dumpStore(ctx, out, args)
	}
	if err != nil {
		return err
	}
	if len(args) == 1 {
		var one []upstream.Status
		for _, s := range all {
			if s.Name == args[0] {
				one = append(one, s)
			}
		}
		if one == nil {
			return fmt.Errorf("%q: %w", args[0], upstream.ErrUnknown)
		}
		all = one
	}
	if o.json {
		return json.NewEncoder(out).Encode(all)
	}
	for _, s := range all {
		printStatus(out, s, time.Now())
	}
	return nil
}

func printStatus(out io.Writer, s upstream.Status, now time.Time) {
	fmt.Fprintf(out, "%s: %s. %s\n", s.Name, s.Phase, s.Doc)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, r := range s.Regions {
		fmt.Fprintf(w, "  %s\t%s\t%s\tsince %s (%s)\tepoch %d\n", r.Region, r.State, r.Kind, r.Since.Local().Format(time.DateTime), now.Sub(r.Since).Round(time.Second), r.Epoch)
		if r.Effect != "" {
			fmt.Fprintf(w, "  \truns\t%s\n", r.Effect)
		}
		for _, timer := range r.Timers {
			fmt.Fprintf(w, "  \tnext\t%s\tin %s (%s)\n", timer.Event, timer.At.Sub(now).Round(time.Second), timer.Doc)
		}
		fmt.Fprintf(w, "  \taccepts\t%v\n", r.Accepted)
	}
	if t := s.Token; t != nil {
		expiry := "no stated expiry"
		if t.ExpiresAt != nil {
			expiry = "expires " + t.ExpiresAt.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "  token\tgeneration %d\t%s\trefresh token: %v\tscopes %v\tissuer %s\n", t.Generation, expiry, t.HasRefreshToken, t.Scopes, t.Issuer)
	}
	if s.Flow != nil {
		fmt.Fprintf(w, "  login\tflow %s\tbrowser: %s\n", s.Flow.ID, s.Flow.Browser)
	}
	if s.Reason != "" {
		fmt.Fprintf(w, "  reason\t%s\t%s\n", s.Reason, s.Reason.Doc())
	}
	for _, last := range []struct {
		region  string
		failure *upstream.Failure
	}{{states.Connection, s.ConnectionError}, {states.Credential, s.CredentialError}} {
		if last.failure != nil {
			fmt.Fprintf(w, "  last error\t%s\t%s\n", last.region, last.failure.Text)
		}
	}
	for _, e := range s.Refused {
		fmt.Fprintf(w, "  refused\t%s\tin %s: %s\n", e.Event, e.From, e.Reason)
	}
	for _, a := range s.Actions {
		fmt.Fprintf(w, "  you can\t%s\t%s\n", a.Command, a.Why)
	}
	_ = w.Flush() // the terminal went away
}

// stored is what the store of a stopped proxy says about an upstream.
type stored struct {
	Name       string                `json:"name"`
	Running    bool                  `json:"running"`
	Generation uint64                `json:"generation"`
	Token      *upstream.TokenStatus `json:"token,omitempty"`
	LoginOpen  string                `json:"open_flow,omitempty"`
	LoggedOut  *time.Time            `json:"logged_out,omitempty"`
	Uncertain  bool                  `json:"refresh_without_outcome"`
}

func (o *options) open(ctx context.Context) (*store.Store, error) {
	var keys store.KeySource
	if path := os.Getenv("MCPPROXY_KEY_FILE"); path != "" {
		keys = store.FileKeys(path)
	}
	return store.Open(ctx, o.store, store.Options{ReadOnly: true, Keys: keys})
}

func (o *options) dumpStore(ctx context.Context, out io.Writer, args []string) (err error) {
	s, err := o.open(ctx)
	if err != nil {
		return errors.Join(admin.ErrNotRunning, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	names, err := s.Upstreams()
	if err != nil {
		return err
	}
	if len(args) == 1 {
		names = args
	}
	all := []stored{}
	for _, name := range names {
		c, err := s.Load(name)
		if err != nil {
			return err
		}
		entry := stored{Name: name, Generation: c.Generation, Uncertain: c.Intent != nil, Token: upstream.TokenStatusOf(c.Token)}
		if c.Flow != nil {
			entry.LoginOpen = c.Flow.ID
		}
		if c.Logout != nil {
			entry.LoggedOut = &c.Logout.At
		}
		all = append(all, entry)
	}
	if o.json {
		return json.NewEncoder(out).Encode(all)
	}
	fmt.Fprintf(out, "No proxy is running; this is what its store %s says.\n", o.store)
	for _, entry := range all {
		fmt.Fprintf(out, "%s: generation %d", entry.Name, entry.Generation)
		switch {
		case entry.LoggedOut != nil:
			fmt.Fprintf(out, ", logged out at %s", entry.LoggedOut.Local().Format(time.DateTime))
		case entry.Token == nil:
			fmt.Fprint(out, ", no token")
		case entry.Token.ExpiresAt != nil:
			fmt.Fprintf(out, ", access token until %s, refresh token: %v", entry.Token.ExpiresAt.Local().Format(time.DateTime), entry.Token.HasRefreshToken)
		}
		if entry.LoginOpen != "" {
			fmt.Fprintf(out, ", open login %s", entry.LoginOpen)
		}
		if entry.Uncertain {
			fmt.Fprint(out, ", a refresh without a known outcome")
		}
		fmt.Fprintln(out)
	}
	return nil
}

func (o *options) history(ctx context.Context, out io.Writer, name string) error {
	var entries []fsm.Entry
	err := o.client().Get(ctx, "/v1/upstreams/"+url.PathEscape(name)+"/journal", &entries)
	if errors.Is(err, admin.ErrNotRunning) {
		entries, err = o.storedHistory(ctx, name)
	}
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(out).Encode(entries)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s -> %s\t%s\t%s\t%s %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), e.Region, e.Event, e.From, e.To, e.Disposition, e.Flow, e.Reason, e.Note)
	}
	return w.Flush()
}

func (o *options) storedHistory(ctx context.Context, name string) (entries []fsm.Entry, err error) {
	s, err := o.open(ctx)
	if err != nil {
		return nil, errors.Join(admin.ErrNotRunning, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	lines, err := s.Journal(name, 0)
	for _, line := range lines {
		var e fsm.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, err
}

func graphCommand() *cobra.Command {
	var region, format string
	c := &cobra.Command{Use: "graph", Short: "Print the declared graph as DOT, Mermaid or Markdown", Args: usage(cobra.NoArgs), Example: "  statectl graph --region connection --format dot", RunE: func(c *cobra.Command, _ []string) error {
		graph := transitions.Definition().Graph()
		if format == "markdown" {
			fmt.Fprint(c.OutOrStdout(), diagrams.Markdown(graph))
			return nil
		}
		for _, r := range graph.Regions {
			switch {
			case r.Name != region:
				continue
			case format == "dot":
				fmt.Fprint(c.OutOrStdout(), diagrams.DOT(r))
			case format == "mermaid":
				fmt.Fprint(c.OutOrStdout(), diagrams.Mermaid(r))
			default:
				return fmt.Errorf("%w: --format is one of dot, mermaid, markdown", errUsage)
			}
			return nil
		}
		return fmt.Errorf("%w: --region is one of connection, credential", errUsage)
	}}
	c.Flags().StringVar(&region, "region", "credential", "connection or credential")
	c.Flags().StringVar(&format, "format", "dot", "dot, mermaid or markdown")
	return c
}
