package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"mcpproxy/terminal"
	"mcpproxy/verify"

	"github.com/spf13/cobra"
)

// The outcomes of an audit that found something, and of one that found nothing to read.
var (
	errBroken     = errors.New("a promise was broken")
	errUnreadable = errors.New("nothing was audited")
)

// audited is what statectl audit --json prints: each promise, and what was found in each
// upstream's journal.
type audited struct {
	Held     bool             `json:"held"`
	Promises []verify.Monitor `json:"promises"`
	Journals []auditedJournal `json:"journals"`
}

type auditedJournal struct {
	Machine string    `json:"machine"`
	Entries int       `json:"entries"`
	Broken  []finding `json:"broken"`
}

type finding struct {
	verify.Finding
	// Line is the entry's number in all that was read, from 1.
	Line int `json:"line"`
}

func auditCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "audit [FILE]", Short: "Hold a recorded journal to the promises, and report the first entry that breaks each",
		Args: usage(cobra.MaximumNArgs(1)),
		Long: `Hold a recorded journal to the promises that verify searches the graph for, as far
as a journal can show that one was broken, and report for each upstream the first
entry that breaks each. Promises that no journal can show are listed with the reason.

FILE holds entries as history --json prints them: one JSON array, or one entry on
each line; those of several upstreams may be mixed. A FILE of - is standard input.
Without FILE the journals of the running proxy are audited, or of its store where
none runs. The exit code is 0 where all promises held, 1 where one was broken, and 2
where FILE cannot be read or is no journal.`,
		Example: "  statectl audit\n  statectl audit journal.jsonl --json\n  statectl history github --json | statectl audit -",
		RunE: func(c *cobra.Command, args []string) error {
			entries, err := o.recorded(c.Context(), c.InOrStdin(), args)
			if err != nil && len(args) > 0 {
				return fmt.Errorf("%w: %w", errUnreadable, err)
			}
			if err != nil {
				return err
			}
			all := audited{Held: true, Promises: verify.Monitors(), Journals: []auditedJournal{}}
			for _, r := range parted(entries) {
				one := auditedJournal{Machine: r.machine, Entries: len(r.entries), Broken: []finding{}}
				for _, f := range verify.Audit(r.entries) {
					one.Broken = append(one.Broken, finding{Finding: f, Line: r.lines[f.Number-1]})
				}
				all.Held = all.Held && len(one.Broken) == 0
				all.Journals = append(all.Journals, one)
			}
			return all.print(c.OutOrStdout(), o.json)
		}}
}

func (a audited) print(out io.Writer, asJSON bool) error {
	if asJSON {
		if err := terminal.JSON(out, a); err != nil {
			return err
		}
	} else {
		a.printText(out)
	}
	if !a.Held {
		broken := 0
		for _, one := range a.Journals {
			broken += min(len(one.Broken), 1)
		}
		return fmt.Errorf("%d of %d journals: %w; each is named above with the entry that shows it", broken, len(a.Journals), errBroken)
	}
	return nil
}

func (a audited) printText(out io.Writer) {
	judged := 0
	for _, promise := range a.Promises {
		if promise.Undecidable == "" {
			judged++
		}
	}
	for _, one := range a.Journals {
		if len(one.Broken) == 0 {
			terminal.Printf(out, "%s: %d entries, and %d promises held\n", one.Machine, one.Entries, judged)
		}
		for _, f := range one.Broken {
			e := f.Entry
			terminal.Printf(out, "%s: entry %d of %d (line %d) breaks %q: %s\n", one.Machine, f.Number, one.Entries, f.Line, f.Promise, f.Why)
			terminal.Printf(out, "  %s  %s: %s in %s, %s, leads to %s (number %d, epoch %d)\n", e.Time.UTC().Format(time.RFC3339Nano), e.Region,
				e.Event, e.From, e.Disposition, e.To, e.Sequence, e.Epoch)
		}
	}
	if len(a.Journals) == 0 {
		terminal.Printf(out, "The journal is empty.\n")
	}
	terminal.Printf(out, "Not shown by any journal:\n")
	for _, promise := range a.Promises {
		if promise.Undecidable != "" {
			terminal.Printf(out, "  %s: %s\n", promise.Name, promise.Undecidable)
		}
	}
}
