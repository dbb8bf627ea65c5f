package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/store"
	"mcpproxy/terminal"
	"mcpproxy/transitions"

	"github.com/spf13/cobra"
)

// errUnexplained is the outcome of a replay that met an entry which the graph does
// not explain.
var errUnexplained = errors.New("not explained by the graph")

// replayed is what became of one machine's journal.
type replayed struct {
	Machine string `json:"machine"`
	Entries int    `json:"entries"`
	// Unexplained is the first entry that the graph does not explain; absent where it
	// explains all.
	Unexplained *unexplained `json:"unexplained,omitempty"`
}

type unexplained struct {
	// Number of the entry in the machine's journal, and in all that was read, from 1.
	Number int       `json:"number"`
	Line   int       `json:"line"`
	Reason string    `json:"reason"`
	Entry  fsm.Entry `json:"entry"`
}

func replayCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "replay [FILE]", Short: "Run a recorded journal against the graph and report the first entry that the " +
		"graph does not explain", Args: usage(cobra.MaximumNArgs(1)),
		Long: `Run a recorded journal against the graph and report the first entry that the
graph does not explain.

FILE holds entries as history --json prints them: one JSON array, or one entry on
each line; those of several upstreams may be mixed. A FILE of - is standard input.
Without FILE the journals of the running proxy are replayed, or of its store where
none runs. The exit code is 7 where an entry is not explained.`,
		Example: "  statectl replay\n  statectl replay journal.jsonl\n  statectl history github --json | statectl replay -",
		RunE: func(c *cobra.Command, args []string) error {
			entries, err := o.recorded(c.Context(), c.InOrStdin(), args)
			if err != nil {
				return err
			}
			return printReplayed(c.OutOrStdout(), replayAll(entries), o.json)
		}}
}

// recorded are the entries of a file, or else of all upstreams' journals.
func (o *options) recorded(ctx context.Context, input io.Reader, args []string) (entries []fsm.Entry, err error) {
	if len(args) == 0 {
		return o.journals(ctx)
	}
	name := args[0]
	if name == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("the journal could not be opened: %w; give a file that statectl history UPSTREAM --json has written, or - "+
				"for standard input", err)
		}
		defer file.Close()
		input = file
	}
	if entries, err = readJournal(input); err != nil {
		return nil, fmt.Errorf("%s: entry %d is none of a journal (statectl history UPSTREAM --json prints one): %w", name, len(entries)+1, err)
	}
	return entries, nil
}

// journals are those of all upstreams, one after the other.
func (o *options) journals(ctx context.Context) ([]fsm.Entry, error) {
	return again(func() ([]fsm.Entry, error) { return o.journalsNow(ctx) })
}

func (o *options) journalsNow(ctx context.Context) (all []fsm.Entry, err error) {
	var running []status.Upstream
	err = o.client().Get(ctx, "/v1/upstreams", &running)
	if errors.Is(err, client.ErrNotRunning) {
		return o.storedJournals(ctx)
	}
	if err != nil {
		return nil, err
	}
	for _, u := range running {
		var entries []fsm.Entry
		if err := o.client().Get(ctx, "/v1/upstreams/"+url.PathEscape(u.Name)+"/journal", &entries); err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

func (o *options) storedJournals(ctx context.Context) (all []fsm.Entry, err error) {
	err = o.inStore(ctx, func(s *store.Store) error {
		names, err := s.Upstreams()
		if err != nil {
			return err
		}
		for _, name := range names {
			lines, err := s.Journal(name, 0)
			if err != nil {
				return err
			}
			for i, line := range lines {
				var e fsm.Entry
				if err := json.Unmarshal(line, &e); err != nil {
					return fmt.Errorf("entry %d of the journal of %s is damaged: %w", i+1, name, err)
				}
				all = append(all, e)
			}
		}
		return nil
	})
	return all, err
}

// readJournal reads entries from a JSON array, or one after the other.
func readJournal(r io.Reader) (entries []fsm.Entry, err error) {
	buffered := bufio.NewReader(r)
	decoder := json.NewDecoder(buffered)
	array := isArray(buffered)
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, err
		}
	}
	for decoder.More() {
		var e fsm.Entry
		if err := decoder.Decode(&e); err != nil {
			return entries, err
		}
		if e.Machine == "" || e.Event == "" || e.Disposition == "" {
			return entries, errors.New("it does not name its machine, event and disposition")
		}
		entries = append(entries, e)
	}
	if _, err := decoder.Token(); err != nil && (array || !errors.Is(err, io.EOF)) {
		return entries, fmt.Errorf("it is cut off: %w", err)
	}
	return entries, nil
}

func isArray(r *bufio.Reader) bool {
	for {
		first, err := r.Peek(1)
		switch {
		case err != nil:
			return false
		case first[0] == ' ' || first[0] == '\t' || first[0] == '\r' || first[0] == '\n':
			_, _ = r.Discard(1) // it was peeked at
		default:
			return first[0] == '['
		}
	}
}

// replayAll replays each machine's entries, in the order in which they appear.
func replayAll(entries []fsm.Entry) []replayed {
	graph, all := transitions.Definition(), []replayed{}
	for _, r := range parted(entries) {
		one := replayed{Machine: r.machine, Entries: len(r.entries)}
		var found *fsm.ReplayError
		if errors.As(graph.Replay(r.entries), &found) {
			one.Unexplained = &unexplained{Number: found.Index + 1, Line: r.lines[found.Index], Reason: found.Reason, Entry: found.Entry}
		}
		all = append(all, one)
	}
	return all
}

// recording is one machine's journal, and where its entries are in all that was read.
type recording struct {
	machine string
	entries []fsm.Entry
	lines   []int
}

// parted are the machines' journals, in the order in which they begin.
func parted(entries []fsm.Entry) (all []*recording) {
	known := map[string]*recording{}
	for i, e := range entries {
		r := known[e.Machine]
		if r == nil {
			r = &recording{machine: e.Machine}
			known[e.Machine], all = r, append(all, r)
		}
		r.entries, r.lines = append(r.entries, e), append(r.lines, i+1)
	}
	return all
}

func printReplayed(out io.Writer, all []replayed, asJSON bool) error {
	bad := 0
	for _, one := range all {
		if one.Unexplained != nil {
			bad++
		}
	}
	if asJSON {
		if err := terminal.JSON(out, all); err != nil {
			return err
		}
	} else {
		for _, one := range all {
			one.print(out)
		}
		if len(all) == 0 {
			terminal.Printf(out, "The journal is empty.\n")
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d journals: %w", bad, len(all), errUnexplained)
	}
	return nil
}

func (r replayed) print(out io.Writer) {
	if r.Unexplained == nil {
		terminal.Printf(out, "%s: %d entries, explained by the graph\n", r.Machine, r.Entries)
		return
	}
	u, e := r.Unexplained, r.Unexplained.Entry
	terminal.Printf(out, "%s: entry %d of %d (line %d) is not explained by the graph: %s\n", r.Machine, u.Number, r.Entries, u.Line, u.Reason)
	terminal.Printf(out, "  %s  %s: %s in %s, %s, leads to %s (number %d, epoch %d)\n", e.Time.UTC().Format(time.RFC3339Nano), e.Region,
		e.Event, e.From, e.Disposition, e.To, e.Sequence, e.Epoch)
}
