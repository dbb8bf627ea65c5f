package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"mcpproxy/spelling"
	"mcpproxy/terminal"
	"mcpproxy/transitions"
	"mcpproxy/verify"

	"github.com/spf13/cobra"
)

// exitCounterexample is the exit code of a search that found a counterexample.
const exitCounterexample = 8

// errCounterexample says that a promise does not hold.
var errCounterexample = errors.New("the graph breaks a promise; the sequence above is a shortest one that shows it")

type verification struct {
	json   bool
	modes  []string
	dot    string
	worlds int
	// spec is what a test explores in place of the built-in graph.
	spec *transitions.Spec
}

func (o *options) verifyCommand() *cobra.Command {
	v := &verification{}
	c := &cobra.Command{Use: "verify", Short: "Search the built-in graph for a way to break its promises", Args: usage(cobra.NoArgs),
		Long: "Search the built-in graph for a way to break its promises: every situation that can be reached, together with\n" +
			"a model of the store, the servers, the browser, the user and the clock. It needs no proxy and no network, takes\n" +
			"half a minute or so on two processors and half a gigabyte of memory. The modes are the configurations that are explored.",
		Example: "  statectl verify\n  statectl verify --mode device --json\n  statectl verify --dot counterexample.dot",
		RunE: func(c *cobra.Command, _ []string) error {
			v.json = o.json
			return v.run(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		}}
	var names []string
	for _, mode := range verify.Modes() {
		names = append(names, string(mode))
	}
	c.Flags().StringSliceVar(&v.modes, "mode", names, "what to explore")
	c.Flags().StringVar(&v.dot, "dot", "", "draw a counterexample into this file, for Graphviz")
	c.Flags().IntVar(&v.worlds, "worlds", 0, "end each search after so many situations (0: explore all)")
	_ = c.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

// verified is what statectl verify --json prints.
type verified struct {
	Holds      bool               `json:"holds"`
	Complete   bool               `json:"complete"`
	Worlds     int                `json:"worlds"`
	Steps      int                `json:"steps"`
	Seconds    float64            `json:"seconds"`
	Memory     uint64             `json:"memory_bytes"`
	Invariants []verify.Invariant `json:"invariants"`
	Modes      []verify.Report    `json:"modes"`
}

func (v *verification) run(ctx context.Context, out, screen io.Writer) error {
	var modes []verify.Mode
	var known []string
	for _, mode := range verify.Modes() {
		known = append(known, string(mode))
	}
	for _, name := range v.modes {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%w: there is no mode %q%s; --mode takes %s", errUsage, name, spelling.Meant(name, known), strings.Join(known, ", "))
		}
		modes = append(modes, verify.Mode(name))
	}
	if os.Getenv("GOGC") == "" {
		// A quarter of the time is the collector's otherwise, which finds little. What lives
		// is small; the rest is room.
		defer debug.SetGCPercent(debug.SetGCPercent(1000))
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(420 << 20))
	}
	began := time.Now()
	o := verify.Options{Worlds: v.worlds, Spec: v.spec}
	bar := newProgress(screen)
	if bar != nil {
		o.Progress = bar.tell
	}
	reports, err := verify.ExploreAll(ctx, o, modes)
	bar.done()
	if err != nil {
		return fmt.Errorf("the search was ended before it was complete: %w", err)
	}
	all := verified{
		Holds:      true,
		Complete:   true,
		Seconds:    time.Since(began).Seconds(),
		Invariants: verify.Invariants(),
		Modes:      reports,
		Memory:     memory(),
	}
	for i := range reports {
		all.Holds = all.Holds && !reports[i].Failed()
		all.Complete = all.Complete && reports[i].Complete
		all.Worlds += reports[i].Worlds
		all.Steps += reports[i].Steps
	}
	if v.json {
		err = terminal.JSON(out, all)
	} else {
		err = all.print(out)
	}
	return errors.Join(err, v.failed(reports))
}

// failed draws the first counterexample and says that there is one.
func (v *verification) failed(reports []verify.Report) error {
	for i := range reports {
		if !reports[i].Failed() {
			continue
		}
		if v.dot == "" {
			return errCounterexample
		}
		if err := os.WriteFile(v.dot, []byte(reports[i].Counterexample.DOT()), 0o644); err != nil {
			return errors.Join(errCounterexample, err)
		}
		return fmt.Errorf("%w; drawn in %s", errCounterexample, v.dot)
	}
	return nil
}

func (all *verified) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	terminal.Printf(w, "mode\tsituations\ttransitions\tevents fired\trefused\tseconds\t\n")
	for _, r := range all.Modes {
		terminal.Printf(w, "%s\t%d\t%d\t%d\t%d\t%.1f\t%s\n", r.Mode, r.Worlds, r.Steps, r.Fired, r.Refused, r.Seconds, ending(&r))
	}
	terminal.Printf(w, "all\t%d\t%d\t\t\t%.1f\t%d MB of memory\n\n", all.Worlds, all.Steps, all.Seconds, all.Memory/1_000_000)
	broken := map[string]bool{}
	for _, r := range all.Modes {
		if r.Failed() {
			broken[r.Counterexample.Invariant] = true
		}
	}
	for _, i := range all.Invariants {
		holds := "holds"
		switch {
		case broken[i.Name]:
			holds = "BROKEN"
		case !all.Complete:
			holds = "holds so far"
		}
		terminal.Printf(w, "%s\t%s\t%s\n", holds, i.Name, i.Doc)
	}
	for _, r := range all.Modes {
		if c := r.Counterexample; c != nil {
			terminal.Printf(w, "\n%s: %s is broken: %s\n", r.Mode, c.Invariant, c.Why)
			for n, s := range c.Trace {
				terminal.Printf(w, "%d\t%s\t%s\t%s\n", n, s.Action, s.Connection, s.Credential)
			}
		}
	}
	return w.Flush()
}

func ending(r *verify.Report) string {
	switch {
	case r.Failed():
		return "ended by a counterexample"
	case !r.Complete:
		return "not complete (--worlds)"
	}
	return "complete"
}

// memory is what the process took from the system at most, in bytes.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

// progress is a line on a terminal; nil where there is none.
type progress struct {
	out    io.Writer
	mu     sync.Mutex
	began  time.Time
	shown  time.Time
	worlds map[verify.Mode]int
}

func newProgress(out io.Writer) *progress {
	file, ok := out.(*os.File)
	if !ok {
		return nil
	}
	if about, err := file.Stat(); err != nil || about.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return &progress{out: out, began: time.Now(), worlds: map[verify.Mode]int{}}
}

func (p *progress) tell(mode verify.Mode, worlds int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.worlds[mode] = worlds
	if time.Since(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = time.Now()
	sum := 0
	for _, n := range p.worlds {
		sum += n
	}
	terminal.Printf(p.out, "\r%d situations explored, %.0f s \x1b[K", sum, time.Since(p.began).Seconds())
}

// done takes the line away.
func (p *progress) done() {
	if p != nil {
		terminal.Printf(p.out, "\r\x1b[K")
	}
}
