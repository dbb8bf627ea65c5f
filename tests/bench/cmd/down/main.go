// Command down measures what upstreams cost that are down: run it by `make down`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mcpproxy/tests/bench/down"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "down:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("down", flag.ContinueOnError)
	var o down.Options
	flags.IntVar(&o.Upstreams, "n", 1000, "how many upstreams are down")
	flags.DurationVar(&o.For, "for", 4*time.Minute, "how long")
	flags.DurationVar(&o.Every, "every", time.Minute, "a line of the table each")
	kinds := flags.String("kinds", strings.Join(down.Kinds, ","), "in which ways, with commas; the upstreams take them in turn")
	flags.StringVar(&o.Program, "program", "", "the mcpproxy to measure; empty builds that of this tree")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Kinds = strings.Split(*kinds, ",")
	if o.Upstreams < 1 || o.Every <= 0 {
		return errors.New("at least one upstream, and a time between two lines, are needed")
	}
	if o.Program == "" {
		scratch, err := os.MkdirTemp("", "down-program")
		if err != nil {
			return err
		}
		defer os.RemoveAll(scratch)
		o.Program = filepath.Join(scratch, "mcpproxy")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.Program, "mcpproxy/cmd/mcpproxy").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	return down.Run(ctx, o, os.Stdout)
}
