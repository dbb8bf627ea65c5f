// Command mcpproxy is one MCP endpoint in front of many upstream MCP servers.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/config"
	"mcpproxy/fsm"
	"mcpproxy/spelling"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/terminal"
	"mcpproxy/userfile"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
)

// release is the version, set when a release is built (-ldflags -X).
var release string

// version is the release's, or that of the commit that was built.
var version = cmp.Or(release, commit(), "dev")

// commit is the version that Go's tools give the program; "" where they give none.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}

// Exit codes; they are documented and stable.
const (
	exitError       = 1
	exitUsage       = 2
	exitLoginNeeded = 4
	exitUnreachable = 5
	exitNoProxy     = 6
	exitIllegal     = 7
	// exitHalfLoggedOut: what was erased here may be good at the authorization server.
	exitHalfLoggedOut = 8
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends it at once
	userfile.FindHome()
	err := root().ExecuteContext(ctx)
	if err != nil {
		terminal.PrintError(os.Stderr, "mcpproxy", err)
	}
	os.Exit(exitCode(err))
}

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var (
		usage   usageError
		refused *client.RefusedError
		ended   *client.LoginFailedError
	)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage), errors.Is(err, status.ErrUnknown), errors.As(err, &refused) && refused.Kind == api.KindUnknown:
		return exitUsage
	case errors.Is(err, errCannotRenew), errors.As(err, &ended) && ended.Reason == states.DiscoveryFailed:
		return exitUnreachable
	case ended != nil, errors.Is(err, errLoginNeeded):
		return exitLoginNeeded
	case errors.Is(err, client.ErrNotRunning):
		return exitNoProxy
	case errors.Is(err, errHalfLoggedOut):
		return exitHalfLoggedOut
	case errors.As(err, &refused) && refused.Kind == api.KindIllegal, errors.Is(err, fsm.ErrIllegal):
		return exitIllegal
	}
	return exitError
}

var errLoginNeeded = errors.New("a login is needed")

// options are the flags that all commands share.
type options struct {
	config, store, socket string
	verbose               bool
}

func root() *cobra.Command {
	o := &options{}
	c := &cobra.Command{
		Use:   "mcpproxy",
		RunE:  group("", "").RunE,
		Args:  cobra.ArbitraryArgs,
		Short: "One MCP endpoint in front of many upstream MCP servers",
		Long: `mcpproxy stands between MCP clients and many upstream MCP servers. It logs in to
them, keeps their tokens fresh and their connections up, and says at any moment
what it is doing and what you can do.

Exit codes: 0 ok, 1 error, 2 wrong command line or no such upstream, 4 a login is
needed, 5 the authorization server cannot be found or reached, 6 no proxy is
running, 7 the machine refused it, 8 logged out here while something may still be
good at the authorization server.`,
		Example: `  mcpproxy upstream add github https://mcp.example.com/mcp
  mcpproxy auth login github
  mcpproxy serve`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	c.SetVersionTemplate("mcpproxy {{.Version}}\n")
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w%s; see: %s --help", err, spelling.MeantFlag(err, c.Flags()), c.CommandPath())}
	})
	f := c.PersistentFlags()
	f.StringVar(&o.config, "config", config.DefaultPath(), "configuration file")
	f.StringVar(&o.store, "store", filepath.Join(xdg.DataHome, "mcpproxy", "store.db"), "file for tokens and journals")
	f.StringVar(&o.socket, "socket", "", "socket of the running proxy (default: beside the store)")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "log every event")
	c.AddCommand(serveCommand(o), stdioCommand(o), authCommand(o), upstreamCommand(o), configCommand(o), uiCommand(o), demoCommand(),
		versionCommand())
	return c
}

// socketPath is short of the limit that systems have for sockets.
func (o *options) socketPath() string {
	if o.socket != "" {
		return o.socket
	}
	return filepath.Join(filepath.Dir(o.store), "mcpproxy.sock")
}

func (o *options) client() *client.Client { return client.Of(o.store, o.socketPath()) }

func (o *options) load() (*config.File, error) { return config.Load(o.config, os.LookupEnv) }

func (o *options) logger() *slog.Logger {
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func (o *options) keys() store.KeySource {
	if os.Getenv("MCPPROXY_KEY_FILE") != "" {
		return store.FileKeys(os.Getenv("MCPPROXY_KEY_FILE"))
	}
	return nil
}

// arguments counts them in words.
func arguments(args []string) string {
	switch len(args) {
	case 0:
		return "none"
	case 1:
		return "1 argument"
	}
	return fmt.Sprint(len(args), " arguments")
}

// exactly demands arguments by name.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usageError{fmt.Errorf("%s takes %s and got %s; see: %s --help", c.CommandPath(), cmp.Or(strings.Join(names, " "), "no argument"),
				arguments(args), c.CommandPath())}
		}
		return nil
	}
}

// atMost allows one argument.
func atMost(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s takes one %s at most and got %s; see: %s --help", c.CommandPath(), name, arguments(args),
				c.CommandPath())}
		}
		return nil
	}
}

// atLeast demands arguments by name and allows more.
func atLeast(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usageError{fmt.Errorf("%s needs %s and got %s; see: %s --help", c.CommandPath(), strings.Join(names, " "), arguments(args),
				c.CommandPath())}
		}
		return nil
	}
}

// group is a command that does nothing but hold others: alone it prints its
// help, and a name that it does not hold is an error.
func group(use, short string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			var names []string
			for _, command := range c.Commands() {
				if command.IsAvailableCommand() {
					names = append(names, command.Name())
				}
			}
			return usageError{fmt.Errorf("%s has no command %q%s; see: %s --help", c.CommandPath(), args[0], spelling.Meant(args[0], names),
				c.CommandPath())}
		}
		return c.Help()
	}}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  mcpproxy version",
		Args:    exactly(),
		Run:     func(c *cobra.Command, _ []string) { terminal.Printf(c.OutOrStdout(), "mcpproxy %s\n", version) },
	}
}
