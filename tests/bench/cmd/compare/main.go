// Command compare measures this project beside others that do the same and
// prints tables: run it by `make bench-compare`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"mcpproxy/tests/bench/calls"
	"mcpproxy/tests/bench/engine"
	"mcpproxy/tests/bench/storms"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 4 && args[0] == "hop" {
		return calls.Hop(ctx, args[1], args[2], args[3])
	}
	if len(args) == 1 && args[0] == "storm-server" {
		return storms.Serve(ctx, os.Stdin, os.Stdout)
	}
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	o := calls.Options{Directory: directory()}
	flags.DurationVar(&o.Block, "block", time.Second, "how long each hop is measured in each round")
	flags.IntVar(&o.Rounds, "rounds", 5, "how many rounds")
	flags.BoolVar(&o.Peers, "peers", true, "compare with the proxies from npm too")
	sections := flags.String("sections", "engine,proxy,storms", "what to measure, with commas")
	only := flags.String("only", "", "names of the hops to measure, with commas")
	flags.Func("size", "measure this payload only, in bytes", number(&o.Sizes))
	flags.Func("concurrency", "measure this concurrency only", number(&o.Concurrencies))
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	if o.Rounds < 1 {
		return errors.New("at least one round is needed")
	}
	fmt.Printf("%s, %d cores, %s, %s\n", cpuModel(), runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
	for _, section := range strings.Split(*sections, ",") {
		fmt.Printf("\n## %s\n\n", section)
		if err := measure(ctx, section, o); err != nil {
			return err
		}
	}
	return nil
}

// measure prints the tables of one section.
func measure(ctx context.Context, section string, o calls.Options) error {
	switch section {
	case "engine":
		// Many short blocks: a machine that does something else meanwhile spares some.
		engine.Compare(engine.Options{Block: min(o.Block, 50*time.Millisecond), Rounds: 4 * o.Rounds}, os.Stdout)
		return nil
	case "proxy":
		return calls.Run(ctx, o, os.Stdout)
	case "storms":
		self, err := os.Executable()
		if err != nil {
			return err
		}
		return storms.Run(ctx, storms.Options{Calls: 1000, Expiring: 1000, Starts: []int{1, 10, 100, 1000, 10_000}, Server: []string{self, "storm-server"}}, os.Stdout)
	}
	return fmt.Errorf("there is no section %q; there are engine, proxy, storms", section)
}

func number(into *[]int) func(string) error {
	return func(text string) error {
		var n int
		_, err := fmt.Sscan(text, &n)
		*into = append(*into, n)
		return err
	}
}

// directory is that of the module.
func directory() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(text), "model name")
	model, _, _ := strings.Cut(strings.TrimLeft(rest, "\t :"), "\n")
	return model
}
