package main

import (
	"fmt"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/journal"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

func historyCommand(o *options) *cobra.Command {
	var limit int
	var since string
	c := &cobra.Command{Use: "history UPSTREAM", Short: "Print the upstream's journal, accepted and refused events",
		Args: usage(cobra.ExactArgs(1)), ValidArgsFunction: o.completeUpstream,
		Long: `Prints the journal of an upstream: one line for each event that its machine was
given, oldest first. Refused ones begin with "!"; the machine is as it was before.
AFTER is how long the region had been in the state. What happened again and again
is there once, with how often it came. The store keeps the newest 1000 entries, and
1 MiB of them; the flow is printed with its first eight digits, and whole in JSON.`,
		Example: "  statectl history github\n  statectl history github --since 10m\n  statectl history github --limit 20 --json",
		RunE: func(c *cobra.Command, args []string) error {
			from, err := moment(since, time.Now())
			if err != nil {
				return err
			}
			if limit < 0 {
				return fmt.Errorf("%w: --limit is how many of the newest lines to print, from 1 on; 0 for all", errUsage)
			}
			p, err := o.past(c.Context(), args[0])
			if err != nil {
				return err
			}
			o.stopped(c, p)
			lines := journal.Last(journal.Since(journal.Lines(p.entries), from), limit)
			if o.json {
				return terminal.JSON(c.OutOrStdout(), lines)
			}
			printHistory(newPaper(c.OutOrStdout()), lines)
			return nil
		}}
	c.Flags().IntVar(&limit, "limit", 0, "print the newest lines only, this many; 0 for all")
	c.Flags().StringVar(&since, "since", "", "print what happened from then on: 10m, 2h, 15:04, 2006-01-02 or 2006-01-02T15:04:05Z")
	return c
}

// stopped says that what follows is from the store of a stopped proxy.
func (o *options) stopped(c *cobra.Command, p past) {
	if p.now == nil {
		terminal.Printf(c.ErrOrStderr(), "No proxy is running; this is what its store %s says.\n", o.store)
	}
}

// moment reads a time, or how long ago it was; nothing is the beginning.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago.Abs()), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			y, m, d := now.Date()
			return time.Date(y, m, d, at.Hour(), at.Minute(), at.Second(), 0, now.Location()), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: --since %q is neither a length of time (10m, 2h) nor a time (15:04, 2006-01-02, "+
		"2006-01-02T15:04:05Z)", errUsage, text)
}

func printHistory(p paper, lines []journal.Line) {
	if len(lines) == 0 {
		p.say("The journal has nothing from this time.")
		return
	}
	rows := [][]cell{head("", "TIME", "REGION", "EPOCH", "EVENT", "STATES", "AFTER", "BY", "FLOW", "")}
	for _, line := range lines {
		rows = append(rows, lineCells(line, "2006-01-02 15:04:05.000"))
	}
	p.table(rows)
}

// lineCells are a line's columns.
func lineCells(line journal.Line, clock string) []cell {
	mark, event, way := "", cell{line.Event, plain}, cell{line.From, plain}
	switch {
	case line.Refused:
		mark, event.colour = "!", red
	case line.Disposition == fsm.Moved:
		way.text, event.colour = line.From+" -> "+line.To, bold
	default:
		event.colour, way.colour = faint, faint
	}
	after := ""
	if line.InState != nil {
		after = span(milliseconds(*line.InState))
	}
	flow := line.Flow
	if len(flow) > 8 {
		flow = flow[:8]
	}
	return []cell{{mark, red}, {line.Time.Local().Format(clock), faint}, {line.Region, plain}, {fmt.Sprint(line.Epoch), faint}, event, way,
		{after, plain}, {string(line.Actor), faint}, {flow, faint}, {strings.Join(remarks(line), "; "), plain}}
}

// remarks are what else there is to say of a line.
func remarks(line journal.Line) []string {
	var all []string
	if line.NewProcess {
		all = append(all, "a new process")
	}
	switch {
	case line.Refused && line.Guard != "":
		all = append(all, fmt.Sprintf("refused by [%s]: %s", line.Guard, line.Reason))
	case line.Refused:
		all = append(all, fmt.Sprintf("refused (%s): %s", line.Disposition, line.Reason))
	case line.Reason != "":
		all = append(all, fmt.Sprintf("%s: %s", line.Disposition, line.Reason))
	case line.Disposition != fsm.Moved:
		all = append(all, string(line.Disposition))
	}
	for _, guard := range line.Passed {
		all = append(all, "["+guard+"]")
	}
	if line.RaisedBy != "" {
		all = append(all, "after "+line.RaisedBy)
	}
	if line.Note != "" {
		all = append(all, line.Note)
	}
	if again := line.Again; again != nil {
		all = append(all, againWords(again))
	}
	return all
}

// againWords say how often what ends with a line came again.
func againWords(again *fsm.Again) string {
	lines := "this"
	if again.Round > 1 {
		lines = fmt.Sprintf("these %d lines", again.Round)
	}
	text := fmt.Sprintf("%s came %d times more, until %s", lines, again.Times, again.Last.Local().Format(time.DateTime))
	if again.Note != "" {
		text += ", the last time: " + again.Note
	}
	return text
}
