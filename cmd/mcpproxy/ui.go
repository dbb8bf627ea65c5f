package main

import (
	"mcpproxy/admin"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func uiCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "ui", Short: "Open the running proxy's page: every upstream, live",
		Long: `Opens the page of the running proxy in the browser: what every upstream is doing,
its state graph, its journal, and buttons to log in, log out and reconnect. The page
is for browsers of this machine, and is there only after this command (or
mcpproxy serve --ui) has asked for it. The address that is opened is good once and
for a minute.`,
		Example: "  mcpproxy ui\n  mcpproxy ui --no-browser", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			var at admin.Invitation
			if err := o.client().Post(c.Context(), "/v1/page", nil, &at); err != nil {
				return err
			}
			if !s.noBrowser {
				err := s.opener()(c.Context(), at.URL)
				if err == nil {
					return nil
				}
				terminal.Printf(c.ErrOrStderr(), "the browser was not opened: %v; open this address within a minute:\n", err)
			}
			terminal.Printf(c.OutOrStdout(), "%s\n", at.URL)
			return nil
		}}
	c.Flags().BoolVar(&s.noBrowser, "no-browser", false, "open no browser; print the address instead")
	c.Flags().StringVar(&s.browser, "browser", "", "command that opens an address")
	return c
}
