package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func dumpCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "dump [UPSTREAM]", Short: "Print each upstream's states, timers, token facts, last refusals and what you " +
		"can do", Args: usage(cobra.MaximumNArgs(1)), ValidArgsFunction: o.completeUpstream,
		Example: "  statectl dump\n  statectl dump github --json",
		RunE: func(c *cobra.Command, args []string) error {
			_, err := again(func() (struct{}, error) { return struct{}{}, o.dump(c.Context(), c.OutOrStdout(), args) })
			return err
		}}
}

func (o *options) dump(ctx context.Context, out io.Writer, args []string) error {
	var all []status.Upstream
	err := o.client().Get(ctx, "/v1/upstreams", &all)
	if errors.Is(err, client.ErrNotRunning) {
		return o.dumpStore(ctx, out, args)
	}
	if err != nil {
		return err
	}
	if len(args) == 1 {
		var names []string
		var one []status.Upstream
		for _, s := range all {
			names = append(names, s.Name)
			if s.Name == args[0] {
				one = append(one, s)
			}
		}
		if one == nil {
			return status.Unknown(args[0], names)
		}
		all = one
	}
	if o.json {
		return terminal.JSON(out, all)
	}
	for _, s := range all {
		printStatus(out, s, time.Now())
	}
	return nil
}

func printStatus(out io.Writer, s status.Upstream, now time.Time) {
	terminal.Printf(out, "%s: %s. %s\n", s.Name, s.Phase, s.Doc)
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, r := range s.Regions {
		terminal.Printf(w, "  %s\t%s\t%s\tsince %s (%s)\tepoch %d\n", r.Region, r.State, r.Kind, r.Since.Local().Format(time.DateTime),
			now.Sub(r.Since).Round(time.Second), r.Epoch)
		if r.Effect != "" {
			terminal.Printf(w, "  \truns\t%s\n", r.Effect)
		}
		for _, timer := range r.Timers {
			terminal.Printf(w, "  \tnext\t%s\tin %s (%s)\n", timer.Event, timer.At.Sub(now).Round(time.Second), timer.Doc)
		}
		terminal.Printf(w, "  \taccepts\t%v\n", r.Accepted)
	}
	if t := s.Token; t != nil {
		expiry := "no stated expiry"
		if t.ExpiresAt != nil {
			expiry = "expires " + t.ExpiresAt.Local().Format(time.DateTime)
		}
		terminal.Printf(w, "  token\tgeneration %d\t%s\trefresh token: %v\tscopes %v\tissuer %s\n", t.Generation, expiry, t.HasRefreshToken,
			t.Scopes, t.Issuer)
		terminal.Printf(w, "  ")
		for _, fact := range tokenFacts(t) {
			terminal.Printf(w, "\t%s", fact)
		}
		terminal.Printf(w, "\n")
	}
	if s.Flow != nil {
		terminal.Printf(w, "  login\tflow %s\t%s\n", s.Flow.ID, s.Flow.ShownText)
	}
	if s.Reason != "" {
		terminal.Printf(w, "  reason\t%s\t%s\n", s.Reason, s.Reason.Doc())
	}
	for _, last := range []struct {
		region  string
		failure *status.Failure
	}{{states.Connection, s.ConnectionError}, {states.Credential, s.CredentialError}} {
		if last.failure != nil {
			terminal.Printf(w, "  last error\t%s\t%s\n", last.region, last.failure.Text)
		}
	}
	for _, line := range s.Said {
		terminal.Printf(w, "  said\t%s\t%s\n", line.Stream, line.Text)
	}
	for _, part := range s.Missing {
		terminal.Printf(w, "  missing\t%s\t%s; asked for again at %s\n", part.Part, part.Text, part.RetryAt.Local().Format(time.TimeOnly))
	}
	for _, e := range s.Refused {
		terminal.Printf(w, "  refused\t%s\tin %s: %s\n", e.Event, e.From, e.Reason)
	}
	for _, a := range s.Actions {
		terminal.Printf(w, "  you can\t%s\t%s\n", a.Command, a.Why)
	}
	_ = w.Flush() // the terminal went away
}

// tokenFacts are how a token was come by and what it is bound to.
func tokenFacts(t *status.Token) []string {
	facts := []string{"type " + t.Type}
	if t.StatedType != "" {
		facts = append(facts, fmt.Sprintf("which its server calls %q", t.StatedType))
	}
	if t.BoundTo != "" {
		facts = append(facts, "bound to the key "+t.BoundTo)
	}
	if t.Grant != "" {
		facts = append(facts, "grant "+t.Grant)
	}
	if c := t.Client; c != nil {
		facts = append(facts, fmt.Sprintf("client %q", c.ID), "authentication "+c.Authentication)
		if c.Registration != "" { // a token of an earlier release does not say
			facts = append(facts, "registration "+c.Registration)
		}
	}
	if len(t.Withheld) > 0 {
		facts = append(facts, fmt.Sprintf("scopes not granted %v", t.Withheld))
	}
	return facts
}

// stored is what the store of a stopped proxy says about an upstream.
type stored struct {
	Name       string        `json:"name"`
	Running    bool          `json:"running"`
	Generation uint64        `json:"generation"`
	Token      *status.Token `json:"token,omitempty"`
	LoginOpen  string        `json:"open_flow,omitempty"`
	LoggedOut  *time.Time    `json:"logged_out,omitempty"`
	Uncertain  bool          `json:"refresh_without_outcome"`
}

func (o *options) dumpStore(ctx context.Context, out io.Writer, args []string) error {
	var all []stored
	err := o.inStore(ctx, func(s *store.Store) (err error) {
		all, err = kept(s, args)
		return err
	})
	if err != nil {
		return err
	}
	if o.json {
		return terminal.JSON(out, all)
	}
	terminal.Printf(out, "No proxy is running; this is what its store %s says.\n", o.store)
	for _, entry := range all {
		terminal.Printf(out, "%s: generation %d", entry.Name, entry.Generation)
		switch {
		case entry.LoggedOut != nil:
			terminal.Printf(out, ", logged out at %s", entry.LoggedOut.Local().Format(time.DateTime))
		case entry.Token == nil:
			terminal.Printf(out, ", no token")
		case entry.Token.ExpiresAt != nil:
			terminal.Printf(out, ", access token until %s, refresh token: %v", entry.Token.ExpiresAt.Local().Format(time.DateTime),
				entry.Token.HasRefreshToken)
		}
		if entry.LoginOpen != "" {
			terminal.Printf(out, ", open login %s", entry.LoginOpen)
		}
		if entry.Uncertain {
			terminal.Printf(out, ", a refresh without a known outcome")
		}
		terminal.Printf(out, "\n")
	}
	return nil
}

// kept is what a store says of all upstreams, or of those that are named.
func kept(s *store.Store, only []string) ([]stored, error) {
	names, err := s.Upstreams()
	if err != nil {
		return nil, err
	}
	for _, name := range only {
		if !slices.Contains(names, name) {
			return nil, status.Unknown(name, names)
		}
		names = only
	}
	all := []stored{}
	for _, name := range names {
		c, err := s.Load(name)
		if err != nil {
			return nil, err
		}
		entry := stored{Name: name, Generation: c.Generation, Uncertain: c.Intent != nil, Token: status.OfToken(c.Token)}
		if c.Flow != nil {
			entry.LoginOpen = c.Flow.ID
		}
		if c.Logout != nil {
			entry.LoggedOut = &c.Logout.At
		}
		all = append(all, entry)
	}
	return all, nil
}
