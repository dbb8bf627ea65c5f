package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mcpproxy/journal"
	"mcpproxy/status"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func statsCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "stats [UPSTREAM]", Short: "Count the journal: time in each state, refreshes, logins, refusals",
		Args: usage(cobra.MaximumNArgs(1)), ValidArgsFunction: o.completeUpstream,
		Long: `Counts what the journal of an upstream, or of each, holds: how long it was in each
state, how many refreshes and logins there were, how long they took and how they
ended, and which events were refused. A journal keeps the newest 1000 entries.`,
		Example: "  statectl stats\n  statectl stats github --json | jq '.[0].refreshes'",
		RunE: func(c *cobra.Command, args []string) error {
			names := args
			if len(args) == 0 {
				var err error
				if names, err = o.names(c.Context()); err != nil {
					return err
				}
			}
			all, err := o.count(c, names)
			if err != nil {
				return err
			}
			if o.json {
				return terminal.JSON(c.OutOrStdout(), all)
			}
			p := newPaper(c.OutOrStdout())
			for i, s := range all {
				if i > 0 {
					p.say("")
				}
				printStats(p, s)
			}
			return nil
		}}
}

func (o *options) count(c *cobra.Command, names []string) ([]journal.Stats, error) {
	all := []journal.Stats{}
	for i, name := range names {
		p, err := o.past(c.Context(), name)
		if errors.Is(err, status.ErrUnknown) && len(names) > 1 {
			continue // it was removed just now
		}
		if err != nil {
			return nil, err
		}
		var now time.Time
		if p.now != nil {
			now = time.Now()
		} else if i == 0 {
			o.stopped(c, p)
		}
		all = append(all, journal.Count(name, p.entries, now))
	}
	return all, nil
}

func printStats(p paper, s journal.Stats) {
	if s.Entries == 0 {
		p.lead(cell{s.Upstream, bold}, ": the journal is empty")
		return
	}
	again := ""
	if s.Processes > 1 {
		again = fmt.Sprintf(", by %d processes", s.Processes)
	}
	p.lead(cell{s.Upstream, bold}, ": %d entries in %s, since %s%s", s.Entries, span(s.To.Sub(s.From)), s.From.Local().Format(time.DateTime),
		again)
	rows := [][]cell{head("", "REGION", "STATE", "ENTERED", "TIME", "SHARE", "LONGEST")}
	for _, state := range s.States {
		mark := ""
		if state.Now {
			mark = ">"
		}
		rows = append(rows, []cell{{mark, green}, {state.Region, plain}, {state.State, plain}, {fmt.Sprint(state.Entered), plain},
			{span(milliseconds(state.Total)), plain}, {percent(state.Share), plain}, {span(milliseconds(state.Longest)), plain}})
	}
	p.table(rows)
	for _, kind := range []struct {
		name     string
		attempts journal.Attempts
	}{{"refreshes", s.Refreshes}, {"grants", s.Grants}, {"logins", s.Logins}} {
		if kind.attempts.Begun > 0 || kind.name != "grants" {
			p.say("%s: %s", kind.name, attempts(kind.attempts))
		}
	}
	var refused []string
	for _, r := range s.Refusals {
		refused = append(refused, fmt.Sprintf("%s %d× (%s)", r.Event, r.Count, r.Disposition))
	}
	if refused != nil {
		p.lead(cell{"refused", red}, ": %s", strings.Join(refused, ", "))
	}
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

func attempts(a journal.Attempts) string {
	if a.Begun == 0 {
		return "none"
	}
	text := fmt.Sprintf("%d of %d succeeded", a.Succeeded, a.Succeeded+a.Failed)
	if rate, known := a.Rate(); known {
		text += " (" + percent(rate) + ")"
	}
	if a.Longest > 0 || a.Median > 0 {
		text += fmt.Sprintf("; median %s, longest %s", span(milliseconds(a.Median)), span(milliseconds(a.Longest)))
	}
	var endings []string
	for _, e := range a.Endings {
		endings = append(endings, fmt.Sprintf("%s %d×", e.Event, e.Count))
	}
	if endings != nil {
		text += "; " + strings.Join(endings, ", ")
	}
	if a.Open > 0 {
		text += fmt.Sprintf("; %d under way", a.Open)
	}
	if a.Unknown > 0 {
		text += fmt.Sprintf("; of %d the end is not known", a.Unknown)
	}
	return text
}
