// Command statectl looks into upstreams' state machines: of a running proxy, or
// in the store of a stopped one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/spelling"
	"mcpproxy/status"
	"mcpproxy/terminal"
	"mcpproxy/userfile"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"
)

// Exit codes. They are documented and stable, and mean the same in mcpproxy.
const (
	exitError       = 1
	exitUsage       = 2
	exitNotInState  = 3
	exitNeedsPerson = 4
	exitNoProxy     = 6
	exitIllegal     = 7
)

var errUsage = errors.New("wrong command line")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends it at once
	userfile.FindHome()
	err := root().ExecuteContext(ctx)
	if err != nil {
		terminal.PrintError(os.Stderr, "statectl", err)
	}
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	var refused *client.RefusedError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errTimedOut):
		return exitNotInState
	case errors.Is(err, errNeedsPerson):
		return exitNeedsPerson
	case errors.Is(err, errCounterexample):
		return exitCounterexample
	case errors.Is(err, client.ErrNotRunning):
		return exitNoProxy
	case errors.Is(err, errUnreadable):
		return exitUsage
	case errors.Is(err, errUnexplained), errors.As(err, &refused) && refused.Kind == api.KindIllegal:
		return exitIllegal
	case errors.As(err, &refused) && refused.Kind == api.KindUnknown, errors.Is(err, errUsage), errors.Is(err, status.ErrUnknown):
		return exitUsage
	}
	return exitError
}

type options struct {
	store, socket string
	json          bool
}

func root() *cobra.Command {
	o := &options{}
	c := &cobra.Command{Use: "statectl", Short: "Look into upstreams' state machines", SilenceUsage: true, SilenceErrors: true,
		SuggestionsMinimumDistance: 2,
		Long: `statectl shows what the state machines of mcpproxy's upstreams are doing: of the
running proxy through its socket or, where none runs, in the store that it left.
It prints no token. Results are on standard output, in colour on a terminal only
(and not with NO_COLOR); remarks and errors are on standard error.

Exit codes: 0 done, 1 it failed, or audit found a promise that was broken, 2 wrong
command line, no such upstream, or no journal to audit in what was given, 3 not
in the state asked for in time, 4 a user is needed, 6 no proxy runs (and the
command cannot do without), 7 the machine refused the event, 8 verify found a way
to break a promise.`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(c, args[0])
			}
			return c.Help()
		},
		Args: cobra.ArbitraryArgs,
		Example: `  statectl dump
  statectl explain github
  statectl watch github
  statectl wait github --for Connected --timeout 30s
  statectl graph github --format svg > github.svg`}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w%s; see %s --help", errUsage, err, spelling.MeantFlag(err, c.Flags()), c.CommandPath())
	})
	c.PersistentFlags().StringVar(&o.store, "store", filepath.Join(xdg.DataHome, "mcpproxy", "store.db"), "store of a stopped proxy")
	c.PersistentFlags().StringVar(&o.socket, "socket", "", "socket of the running proxy (default: beside the store)")
	c.PersistentFlags().BoolVar(&o.json, "json", false, "print JSON")
	c.AddCommand(
		dumpCommand(o),
		explainCommand(o),
		watchCommand(o),
		historyCommand(o),
		replayCommand(o),
		auditCommand(o),
		statsCommand(o),
		graphCommand(o),
		o.verifyCommand(),
		fireCommand(o),
		waitCommand(o),
		versionCommand(o),
	)
	return c
}

// noCommand says that there is no such command, and which is meant perhaps.
func noCommand(c *cobra.Command, name string) error {
	var names []string
	for _, command := range c.Commands() {
		if command.IsAvailableCommand() {
			names = append(names, command.Name())
		}
	}
	return fmt.Errorf("%w: statectl has no command %q%s; see statectl --help", errUsage, name, spelling.Meant(name, names))
}

// pastOnly adds to the error of a proxy that does not run what can be done without one.
func pastOnly(err error, instead string) error {
	if errors.Is(err, client.ErrNotRunning) {
		return fmt.Errorf("%w; %s", err, instead)
	}
	return err
}

// usage marks what is wrong with the arguments as a wrong command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return fmt.Errorf("%w: %w; it is %s; see %s --help", errUsage, err, strings.TrimSuffix(c.UseLine(), " [flags]"), c.CommandPath())
		}
		return nil
	}
}
