package main

import (
	"context"
	"slices"

	"mcpproxy/admin/client"
	"mcpproxy/journal"
	"mcpproxy/status"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

// gapLine is a line of watch --json that is no entry.
type gapLine struct {
	// Gap says why transitions are missing before the lines that follow.
	Gap string `json:"gap"`
}

func watchCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "watch [UPSTREAM...]", Short: "Follow what happens, live, one line for each event",
		ValidArgsFunction: o.completeUpstreams,
		Long: `Follows what happens to all upstreams, or to some, until it is interrupted. When
the proxy is started again it goes on where it was. With --json each line is a
document: an entry as history prints it, or {"gap": WHY} where lines are missing.`,
		Example: "  statectl watch\n  statectl watch github files\n  statectl watch --json | jq -r 'select(.refused) | .reason'",
		RunE: func(c *cobra.Command, args []string) error {
			err := o.watch(c, args)
			if c.Context().Err() != nil {
				return nil // interrupted, as it is meant to be
			}
			return err
		}}
}

// watcher prints what happens to some upstreams.
type watcher struct {
	*options
	command *cobra.Command
	paper   paper
	only    []string
	readers map[string]*journal.Reader
}

func (o *options) watch(c *cobra.Command, only []string) error {
	w := &watcher{options: o, command: c, paper: newPaper(c.OutOrStdout()), only: only, readers: map[string]*journal.Reader{}}
	follower := client.Follower{Opened: func() error { return w.opened(c.Context()) }, See: w.see,
		Lost: func() { w.note("The proxy went away; waiting for it to come back.") }}
	if len(only) == 1 {
		follower.Only = only[0]
		if _, err := o.status(c.Context(), only[0]); err != nil {
			return nothingToFollow(err)
		}
	}
	return nothingToFollow(o.client().Stay(c.Context(), follower))
}

// nothingToFollow adds to the error of a proxy that does not run what can be seen of it.
func nothingToFollow(err error) error {
	return pastOnly(err, "statectl history UPSTREAM shows what happened until it ended")
}

func (w *watcher) note(format string, args ...any) {
	terminal.Printf(w.command.ErrOrStderr(), format+"\n", args...)
}

// opened learns where each upstream is.
func (w *watcher) opened(ctx context.Context) error {
	again := len(w.readers) > 0
	all, err := w.statuses(ctx)
	if err != nil {
		if again {
			return nil // it went away once more; Stay waits for it
		}
		return err
	}
	var names []string
	clear(w.readers)
	for _, s := range all {
		names = append(names, s.Name)
		w.readers[s.Name] = readerAt(s)
	}
	for _, name := range w.only {
		if !slices.Contains(names, name) {
			return status.Unknown(name, names)
		}
	}
	if again {
		w.note("The proxy is back.")
	}
	return nil
}

// readerAt reads on from where an upstream is.
func readerAt(s status.Upstream) *journal.Reader {
	r := journal.NewReader()
	for _, region := range s.Regions {
		r.Entered(region.Region, region.State, region.Since)
	}
	return r
}

// columns are wide enough for most; a line that needs more is wider.
var columns = []int{1, 12, 10, 10, 5, 20, 36, 10, 7, 8}

func (w *watcher) see(e client.Event) error {
	switch {
	case e.Gap != nil && w.json:
		return terminal.JSON(w.paper, gapLine{e.Gap.Reason})
	case e.Gap != nil:
		w.note("%s", e.Gap.Reason)
		return nil
	case len(w.only) > 0 && !slices.Contains(w.only, e.Entry.Machine):
		return nil
	}
	reader := w.readers[e.Entry.Machine]
	if reader == nil { // added since
		reader = journal.NewReader()
		w.readers[e.Entry.Machine] = reader
	}
	line := reader.Read(*e.Entry)
	if w.json {
		return terminal.JSON(w.paper, line)
	}
	cells := lineCells(line, "15:04:05.000")
	w.paper.row(columns, append([]cell{cells[0], cells[1], {line.Machine, bold}}, cells[2:]...))
	return nil
}
