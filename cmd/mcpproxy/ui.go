package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"mcpproxy/admin"
	"mcpproxy/ui"

	"github.com/spf13/cobra"
)

// invitation is the answer to somebody who asks for the page at the socket.
type invitation struct {
	URL string `json:"url"`
}

// withPage adds the way to the page to what the socket serves.
func withPage(api http.Handler, page *ui.Page, at net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("POST /v1/page", func(w http.ResponseWriter, _ *http.Request) {
		address, err := page.Invite(at)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(admin.Problem{Title: http.StatusText(http.StatusConflict), Status: http.StatusConflict, Detail: err.Error(), Kind: admin.KindFailed}) // the client went away
			return
		}
		_ = json.NewEncoder(w).Encode(invitation{address}) // the client went away
	})
	return mux
}

func uiCommand(o *options) *cobra.Command {
	s := &serveOptions{options: o}
	c := &cobra.Command{Use: "ui", Short: "Open the running proxy's page: every upstream, live",
		Long: `Opens the page of the running proxy in the browser: what every upstream is doing,
its state graph, its journal, and buttons to log in, log out and reconnect. The page
is for browsers of this machine, and is there only after this command (or
mcpproxy serve --ui) has asked for it. The address that is opened is good once and
for a minute.`,
		Example: "  mcpproxy ui\n  mcpproxy ui --no-browser", Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			var at invitation
			if err := o.client().Post(c.Context(), "/v1/page", nil, &at); err != nil {
				return err
			}
			if !s.noBrowser {
				err := s.opener()(c.Context(), at.URL)
				if err == nil {
					return nil
				}
				fmt.Fprintf(c.ErrOrStderr(), "the browser was not opened: %v; open this address within a minute:\n", err)
			}
			fmt.Fprintln(c.OutOrStdout(), at.URL)
			return nil
		}}
	c.Flags().BoolVar(&s.noBrowser, "no-browser", false, "open no browser; print the address instead")
	c.Flags().StringVar(&s.browser, "browser", "", "command that opens an address")
	return c
}
