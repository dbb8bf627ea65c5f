package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/terminal"
	"mcpproxy/transitions"
	"mcpproxy/upstream/child"

	"github.com/spf13/cobra"
)

func statusCommand(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "status [UPSTREAM]", Short: "Show each upstream's login; exit code 4 if one is needed, 5 if a token cannot " +
		"be renewed",
		Long: `Shows each upstream's login, and the next step where there is one. An upstream
that was removed from the configuration, or is disabled there, is shown as Inactive
as long as something that it was logged in with is in the store; mcpproxy auth
logout erases it. Where no proxy is running, it shows what the store holds, and ends
with the exit code 6.`,
		Args: atMost("UPSTREAM"), ValidArgsFunction: o.completeStored,
		Example: "  mcpproxy auth status\n  mcpproxy auth status github --json",
		RunE: func(c *cobra.Command, args []string) error {
			all, err := o.stored(c.Context())
			if err != nil {
				if errors.Is(err, client.ErrNotRunning) && !asJSON {
					o.printStored(c.Context(), c.OutOrStdout(), args)
				}
				return err
			}
			o.sayProblems(c.Context(), c.ErrOrStderr())
			var names, needed, failing, broken []string
			shown := []status.Upstream{}
			for _, status := range all {
				names = append(names, status.Name)
				if len(args) == 1 && status.Name != args[0] {
					continue
				}
				shown = append(shown, status)
				if status.EntryInvalid() {
					broken = append(broken, status.Name)
				}
				if cannotRenew(&status) {
					failing = append(failing, fmt.Sprintf("%s is %s; to try now, run: mcpproxy upstream connect %s", status.Name, status.Phase,
						status.Name))
				}
				if needsLogin(&status) {
					needed = append(needed, fmt.Sprintf("%s is %s; run: mcpproxy auth login %s", status.Name, status.Phase, status.Name))
				}
			}
			if len(args) == 1 && len(shown) == 0 {
				return status.Unknown(args[0], names)
			}
			if asJSON {
				if err := terminal.JSON(c.OutOrStdout(), shown); err != nil {
					return err
				}
			} else {
				printStatus(c.OutOrStdout(), shown)
			}
			if len(needed) > 0 {
				return fmt.Errorf("%w: %s", errLoginNeeded, strings.Join(needed, "; "))
			}
			if len(failing) > 0 {
				return fmt.Errorf("%w: %s", errCannotRenew, strings.Join(failing, "; "))
			}
			if len(broken) > 0 {
				return fmt.Errorf("%w: %s; see: mcpproxy config check", errUnusable, strings.Join(broken, ", "))
			}
			return nil
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// stored are the running proxy's upstreams, and behind them those that are inactive.
func (o *options) stored(ctx context.Context) (all []status.Upstream, err error) {
	if err := o.client().Get(ctx, "/v1/upstreams", &all); err != nil {
		return nil, err
	}
	var inactive []status.Upstream
	err = o.client().Get(ctx, "/v1/inactive", &inactive)
	return append(all, inactive...), err
}

// errUnusable says that the configuration keeps upstreams from being used.
var errUnusable = errors.New("the configuration has entries that cannot be used")

func needsLogin(s *status.Upstream) bool {
	if s.EntryInvalid() || s.Phase == status.PhaseInactive {
		return false
	}
	return s.Outlook == transitions.NeedsPerson || s.Token == nil && (s.Reason != "" || s.Phase == states.Phase(states.LoggedOut))
}

// cannotRenew reports whether no token works and the one that there is cannot be renewed now.
func cannotRenew(s *status.Upstream) bool {
	return s.Outlook == transitions.RenewalFails || s.Phase == states.Phase(states.RefreshBackoff)
}

// errCannotRenew says that an authorization server does not renew a token now.
var errCannotRenew = errors.New("no token works, and it cannot be renewed now")

func printStatus(out io.Writer, all []status.Upstream) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	terminal.Printf(w, "UPSTREAM\tPHASE\tTOKEN\tTOOLS\tNEXT STEP\n")
	for _, s := range all {
		token := "none"
		if s.Token != nil {
			token = "valid"
			if s.Token.ExpiresAt != nil {
				token = "until " + s.Token.ExpiresAt.Local().Format(time.DateTime)
			}
		}
		next := ""
		if len(s.Actions) > 0 && s.Phase != "Connected" {
			next = s.Actions[0].Command
		}
		terminal.Printf(w, "%s\t%s\t%s\t%d\t%s\n", s.Name, s.Phase, token, s.Tools, next)
	}
	_ = w.Flush() // the terminal went away
	for _, line := range unusable(all) {
		terminal.Printf(out, "%s\n", line)
	}
	for _, s := range all {
		if words := wordsOf(s.Said); words != "" && s.Phase != states.Phase(states.Connected) {
			terminal.Printf(out, "%s: its process said last: %s (all of it: mcpproxy upstream logs %s)\n", s.Name, words, s.Name)
		}
	}
}

// wordsOf is the last of what a child process itself said: on its standard error, or
// else on its standard output.
func wordsOf(said []child.Line) (words string) {
	for _, line := range said {
		if line.Text != "" && (line.Stream == child.Stderr || line.Stream == child.Stdout && words == "") {
			words = line.Text
		}
	}
	return words
}
