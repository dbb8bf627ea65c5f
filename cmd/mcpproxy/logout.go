package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/terminal"

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
			out, err := o.logout(c.Context(), args[0])
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

// logout logs out at the proxy that holds the store, or as its holder.
func (o *options) logout(ctx context.Context, name string) (out api.Outcome, err error) {
	s := &serveOptions{options: o, noBrowser: true}
	unknown := s.known(name)()
	err = s.atHolder(ctx, func() error {
		if _, err := os.Stat(o.store); err == nil && errors.Is(unknown, status.ErrUnknown) {
			return nil // the store may know it still
		}
		return unknown
	}, func(running *client.Client) error {
		return running.Post(ctx, "/v1/upstreams/"+url.PathEscape(name)+"/logout", nil, &out)
	})
	var refused *client.RefusedError
	if errors.As(err, &refused) && refused.Kind == api.KindUnknown && unknown != nil {
		return out, unknown
	}
	return out, err
}
