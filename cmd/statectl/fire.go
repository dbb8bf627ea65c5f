package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"mcpproxy/admin/api"
	"mcpproxy/fsm"
	"mcpproxy/spelling"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

// userEvent is one that a user may fire.
type userEvent struct{ name, doc string }

// userEvents are all of them.
var userEvents = []userEvent{
	{"connect", "connect now, whatever the upstream waits for"},
	{"disconnect", "close the connection and keep the token"},
	{"login", "begin a login, or show the page of the open one again"},
	{"logout", "erase and revoke the token; it holds until the next login"},
	{"retry", "try the refresh, or reading the store, again now"},
}

func userEventNames() []string {
	var names []string
	for _, w := range userEvents {
		names = append(names, w.name)
	}
	return names
}

// fired is what fire --json prints.
type fired struct {
	Upstream string `json:"upstream"`
	Event    string `json:"event"`
	api.Outcome
}

func fireCommand(o *options) *cobra.Command {
	var list strings.Builder
	for _, w := range userEvents {
		fmt.Fprintf(&list, "  %-12s%s\n", w.name, w.doc)
	}
	return &cobra.Command{Use: "fire UPSTREAM EVENT", Short: "Fire an event of a user's: " + strings.Join(userEventNames(), ", "),
		Args: usage(cobra.ExactArgs(2)), ValidArgsFunction: o.completeFire,
		Long: `Fires an event at an upstream's machine, and prints what the machine answered. It
does not wait for what follows; statectl wait does. What jobs, timers and servers
report cannot be fired. The events:

` + list.String(),
		Example: "  statectl fire github connect && statectl wait github --for Connected\n  statectl fire github logout --json",
		RunE: func(c *cobra.Command, args []string) error {
			name, event := args[0], args[1]
			if !slices.Contains(userEventNames(), event) {
				return fmt.Errorf("%w: %q is not an event of a user's%s; those are: %s", errUsage, event, spelling.Meant(event, userEventNames()),
					strings.Join(userEventNames(), ", "))
			}
			if _, err := o.status(c.Context(), name); err != nil {
				return pastOnly(err, "an event needs a machine that runs")
			}
			form := url.Values{}
			if event == "login" {
				form.Set("wait", "no")
			}
			out := fired{Upstream: name, Event: event}
			if err := o.client().Post(c.Context(), "/v1/upstreams/"+url.PathEscape(name)+"/"+event, form, &out.Outcome); err != nil {
				return err
			}
			if o.json {
				return terminal.JSON(c.OutOrStdout(), out)
			}
			newPaper(c.OutOrStdout()).say("%s", out)
			return nil
		}}
}

func (f fired) String() string {
	text := fmt.Sprintf("%s: %s: %s", f.Upstream, f.Event, f.Disposition)
	switch {
	case f.Disposition == fsm.Moved:
		text = fmt.Sprintf("%s: %s: %s -> %s, epoch %d", f.Upstream, f.Event, f.From, f.To, f.Epoch)
	case f.From != "":
		text += " in " + f.From
	}
	if f.Reason != "" {
		text += ": " + f.Reason
	}
	return text
}
