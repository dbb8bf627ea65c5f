package main

import (
	"context"
	"strings"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/terminal"
	"mcpproxy/ui"
	"mcpproxy/upstream/browser"

	"github.com/spf13/cobra"
)

func uiCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "ui", Short: "Open the running proxy's page: every upstream, live",
		Long: `Opens the page of the running proxy in the browser: what every upstream is doing,
its state graph, its journal, and buttons to log in, log out and reconnect. The page
is for browsers of this machine, and is there only after this command (or
mcpproxy serve --ui) has asked for it. The address that is opened is good once, for a
minute and for you alone; the browser is given it in a file that only you can read.`,
		Example: "  mcpproxy ui\n  mcpproxy ui --no-browser", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			var at api.Invitation
			if err := o.client().Post(c.Context(), "/v1/page", nil, &at); err != nil {
				return err
			}
			if !s.noBrowser {
				followed, err := s.showPage(c.Context(), at.URL)
				switch {
				case followed || c.Context().Err() != nil:
					return nil
				case err == nil:
					terminal.Printf(c.ErrOrStderr(), "the browser has not come yet; "+
						"if it could not read the file that it was given, open this address within a minute:\n")
				default:
					terminal.Printf(c.ErrOrStderr(), "the browser was not opened: %v; open this address within a minute:\n", err)
				}
			}
			terminal.Printf(c.OutOrStdout(), "%s\n", at.URL)
			return nil
		}}
	c.Flags().BoolVar(&s.noBrowser, "no-browser", false, "open no browser; print the address instead")
	c.Flags().StringVar(&s.browser, "browser", "", "command that opens an address")
	return c
}

// browserComes is how long a browser is waited for before users are told what else they
// can do; it may come later.
const browserComes = 10 * time.Second

// showPage opens the page with an invitation and reports whether the browser has come; the
// file through which it was given the address is removed then.
func (s *serveOptions) showPage(ctx context.Context, invitation string) (followed bool, err error) {
	argv := strings.Fields(s.browser)
	if len(argv) == 0 {
		if argv, err = browser.Launcher(); err != nil {
			return false, err
		}
	}
	remove, err := browser.HandOver(ctx, argv, invitation)
	if err != nil {
		return false, err
	}
	waiting, cancel := context.WithTimeout(ctx, browserComes)
	defer cancel()
	followed = ui.Followed(waiting, invitation)
	if followed || ctx.Err() != nil {
		remove()
	}
	return followed, nil
}
