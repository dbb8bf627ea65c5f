package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/config"
	"mcpproxy/spelling"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func upstreamCommand(o *options) *cobra.Command {
	c := group("upstream", "List, add, import and remove upstreams; connect and disconnect them")
	c.AddCommand(listCommand(o), addCommand(o), importCommand(o), removeCommand(o), logsCommand(o),
		userCommand(o, "upstream", "connect", "Connect an upstream now, whatever it waits for", "connecting %s\n"),
		userCommand(o, "upstream", "disconnect", "Close an upstream's connection and keep its token", "disconnected %s\n"))
	return c
}

func listCommand(o *options) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{Use: "list", Short: "List the upstreams, with their state where a proxy is running", Args: exactly(),
		Example: "  mcpproxy upstream list\n  mcpproxy upstream list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			all := []status.Upstream{}
			err := o.client().Get(c.Context(), "/v1/upstreams", &all)
			if errors.Is(err, client.ErrNotRunning) {
				file, err := o.load()
				if err != nil {
					return err
				}
				for _, known := range file.Upstreams {
					all = append(all, status.Upstream{Name: known.Name, Transport: string(known.Transport), URL: known.URL, Phase: "not running"})
					if known.Problem != "" {
						last := &all[len(all)-1]
						last.Reason, last.CredentialError = states.EntryInvalid, &status.Failure{At: time.Now(), Text: known.Problem}
					}
				}
			} else if err != nil {
				return err
			}
			o.sayProblems(c.Context(), c.ErrOrStderr())
			if asJSON {
				return terminal.JSON(c.OutOrStdout(), all)
			}
			if len(all) == 0 {
				terminal.Printf(c.ErrOrStderr(), "there is no upstream; add one with: mcpproxy upstream add\n")
				return nil
			}
			printStatus(c.OutOrStdout(), all)
			return nil
		}}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func addCommand(o *options) *cobra.Command {
	var replace, automatic bool
	var kind, clientID string
	c := &cobra.Command{Use: "add NAME URL | add NAME -- COMMAND [ARG...]", Short: "Add an upstream to the configuration file",
		Example: "  mcpproxy upstream add github https://mcp.example.com/mcp\n  mcpproxy upstream add files -- npx -y " +
			"@modelcontextprotocol/server-filesystem .",
		Args: atLeast("NAME", "URL (or -- COMMAND)"), RunE: func(c *cobra.Command, args []string) error {
			entry := map[string]any{}
			switch dash := c.ArgsLenAtDash(); {
			case dash == 1:
				entry["command"], entry["args"] = args[1], args[2:]
			case len(args) == 2 && strings.Contains(args[1], "://"):
				entry["url"] = args[1]
			default:
				return usageError{fmt.Errorf("%q is not a URL; write a server's address as https://%[1]s, or a command behind --, as in: mcpproxy "+
					"upstream add %s -- %s", args[1], args[0], strings.Join(args[1:], " "))}
			}
			if kind != "" {
				entry["type"] = kind
			}
			oauth := map[string]any{}
			if automatic {
				oauth["login"] = "automatic"
			}
			if clientID != "" {
				oauth["clientId"] = clientID
			}
			if len(oauth) > 0 {
				entry["oauth"] = oauth
			}
			if err := config.Add(o.config, args[0], entry, replace); err != nil {
				return err
			}
			terminal.Printf(c.OutOrStdout(), "added %s to %s\n", args[0], o.config)
			return nil
		}}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w%s; a command and its flags stand behind --, as in: mcpproxy upstream add NAME -- COMMAND ARG; see: "+
			"%s --help", err,
			spelling.MeantFlag(err, c.Flags()), c.CommandPath())}
	})
	c.Flags().BoolVar(&replace, "replace", false, "replace an entry of that name")
	c.Flags().BoolVar(&automatic, "automatic-login", false, "let the proxy open a browser by itself")
	c.Flags().StringVar(&kind, "type", "", "http (default for a URL) or sse")
	// the flag is there
	_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions([]string{"http", "sse"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().StringVar(&clientID, "client-id", "", "the client id that was registered beforehand")
	return c
}

func importCommand(o *options) *cobra.Command {
	var replace bool
	c := &cobra.Command{Use: "import FILE [NAME...]", Short: "Take upstreams over from another MCP client's configuration",
		Long: `Takes the entries of another MCP client's configuration over, all or those that
are named, from JSON (with comments too) or TOML. An entry that runs mcp-remote becomes
the remote server behind it; one that cannot be taken says why and stops no other.
The other client's file is not changed; put this proxy into it in their place:

  {"mcpServers": {"proxy": {"command": "mcpproxy", "args": ["stdio"]}}}`,
		Example: "  mcpproxy upstream import ~/.cursor/mcp.json\n  mcpproxy upstream import claude_desktop_config.json github",
		Args:    atLeast("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			all, err := config.Import(o.config, args[0], args[1:], replace)
			if err != nil {
				return err
			}
			var refused []error
			for _, one := range all {
				if one.Refused != nil {
					refused = append(refused, fmt.Errorf("%s was not taken: %w", one.Name, one.Refused))
					continue
				}
				terminal.Printf(c.OutOrStdout(), "%s\n", strings.Join(append([]string{"added " + one.Name}, one.Notes...), "; "))
			}
			if len(all) == 0 {
				terminal.Printf(c.ErrOrStderr(), "nothing was taken over: %s has no entry but this proxy's own\n", args[0])
			}
			return errors.Join(refused...)
		}}
	c.Flags().BoolVar(&replace, "replace", false, "replace entries of the same names")
	return c
}

func removeCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "remove NAME", Short: "Remove an upstream from the configuration file",
		Example: "  mcpproxy upstream remove github",
		Args:    exactly("NAME"), ValidArgsFunction: o.completeUpstream, RunE: func(c *cobra.Command, args []string) error {
			if err := config.Remove(o.config, args[0]); err != nil {
				return err
			}
			terminal.Printf(c.OutOrStdout(), "removed %[1]s from %[2]s; a token that it has stays in the store; to erase it, run: mcpproxy "+
				"auth logout %[1]s\n", args[0], o.config)
			return nil
		}}
}

// userCommand is one that fires one of a user's events at the running proxy.
func userCommand(o *options, group, name, short, said string) *cobra.Command {
	c := &cobra.Command{
		Use:               name + " UPSTREAM",
		Short:             short,
		Example:           "  mcpproxy " + group + " " + name + " github",
		Args:              exactly("UPSTREAM"),
		ValidArgsFunction: o.completeUpstream,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		err := o.fire(c.Context(), args[0], name)
		if err == nil {
			terminal.Printf(c.OutOrStdout(), said, args[0])
		}
		return err
	}
	return c
}

func (o *options) fire(ctx context.Context, upstream, command string) error {
	return o.client().Post(ctx, "/v1/upstreams/"+url.PathEscape(upstream)+"/"+command, nil, nil)
}

// quiet logs for commands that are not servers.
func quiet(o *options) *slog.Logger {
	if o.verbose {
		return o.logger()
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}
