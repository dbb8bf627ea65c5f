package main

import (
	"context"
	"errors"
	"os"

	"mcpproxy/admin"
	"mcpproxy/instance"
	"mcpproxy/terminal"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"

	"github.com/spf13/cobra"
)

func logoutCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "logout UPSTREAM", Short: "Erase and revoke an upstream's token; this holds until the next login",
		Long: `Erases what an upstream was logged in with from the store, and revokes it at the
authorization server. This holds until the next login. It works with and without
a running proxy, and also for an upstream that was removed from the configuration
or is disabled there (mcpproxy auth status shows those as Inactive).`,
		Example: "  mcpproxy auth logout github", Args: exactly("UPSTREAM"), ValidArgsFunction: o.completeStored,
		RunE: func(c *cobra.Command, args []string) error {
			err := o.fire(c.Context(), args[0], "logout")
			if errors.Is(err, admin.ErrNotRunning) {
				err = o.logoutAlone(c.Context(), args[0])
			}
			if err == nil {
				terminal.Printf(c.OutOrStdout(), "logged out of %s\n", args[0])
			}
			return err
		}}
}

// logoutAlone logs out on the store of a stopped proxy.
func (o *options) logoutAlone(ctx context.Context, name string) error {
	var configs []upstream.Config
	known, unknown := (&serveOptions{options: o}).find(name)
	switch _, absent := os.Stat(o.store); {
	case unknown == nil:
		configs = append(configs, known)
	case absent != nil, !errors.Is(unknown, upstream.ErrUnknown):
		return unknown
	}
	i, err := instance.Start(ctx, instance.Options{StorePath: o.store, Keys: o.keys(), Configs: configs, Open: browser.None, Logger: quiet(o), Version: version})
	if err != nil {
		return err
	}
	if _, err = i.Manager.Logout(ctx, name); errors.Is(err, upstream.ErrUnknown) {
		err = unknown
	}
	return errors.Join(err, i.Close())
}
