package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"mcpproxy/admin"
	"mcpproxy/fsm"
	"mcpproxy/instance"
	"mcpproxy/terminal"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"

	"github.com/spf13/cobra"
)

func logoutCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "logout UPSTREAM", Short: "Erase and revoke an upstream's token; this holds until the next login",
		Long: `Erases what an upstream was logged in with from the store, and revokes it at the
authorization server. Where that one does not confirm it, or has no place for it, the
command says what may still be good there, and ends with the exit code 8. The logout
holds until the next login. It works with and without
a running proxy, and also for an upstream that was removed from the configuration
or is disabled there (mcpproxy auth status shows those as Inactive).`,
		Example: "  mcpproxy auth logout github", Args: exactly("UPSTREAM"), ValidArgsFunction: o.completeStored,
		RunE: func(c *cobra.Command, args []string) error {
			var out admin.Outcome
			err := o.client().Post(c.Context(), "/v1/upstreams/"+url.PathEscape(args[0])+"/logout", nil, &out)
			if errors.Is(err, admin.ErrNotRunning) {
				out, err = o.logoutAlone(c.Context(), args[0])
			}
			switch {
			case err != nil:
				return err
			case out.Disposition != fsm.Ignored && out.Reason != "":
				return fmt.Errorf("%w of %s here, but %s", errHalfLoggedOut, args[0], out.Reason)
			}
			terminal.Printf(c.OutOrStdout(), "logged out of %s\n", args[0])
			return nil
		}}
}

// errHalfLoggedOut says that a logout is done here and not at the authorization server.
var errHalfLoggedOut = errors.New("logged out")

// logoutAlone logs out on the store of a stopped proxy.
func (o *options) logoutAlone(ctx context.Context, name string) (out admin.Outcome, err error) {
	var configs []upstream.Config
	known, unknown := (&serveOptions{options: o}).find(name)
	switch _, absent := os.Stat(o.store); {
	case unknown == nil:
		configs = append(configs, known)
	case absent != nil, !errors.Is(unknown, upstream.ErrUnknown):
		return out, unknown
	}
	i, err := instance.Start(ctx, instance.Options{StorePath: o.store, Keys: o.keys(), Configs: configs, Open: browser.None, Logger: quiet(o), Version: version})
	if err != nil {
		return out, err
	}
	done, err := i.Manager.Logout(ctx, name)
	if errors.Is(err, upstream.ErrUnknown) {
		err = unknown
	}
	out.Disposition, out.Reason = done.Disposition, done.Reason
	return out, errors.Join(err, i.Close())
}
