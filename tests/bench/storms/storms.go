// Package storms measures what many upstreams do at the same moment: calls that meet
// one expired token, tokens that expire together, and a start of up to ten thousand
// upstreams until each is connected.
//
// The authorization server and the MCP server are those of tests/oauthserver, over
// loopback. For a cold start they are a process of their own, so that memory and
// goroutines are the proxy's. Tables are Markdown, as docs/performance.md has them. A
// storm in which a call fails, or in which a token is refreshed twice, is an error.
package storms

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Options of a measurement. The zero value measures nothing.
type Options struct {
	// Calls meet one expired token; 0 leaves it out.
	Calls int
	// Expiring are the upstreams whose tokens expire together; 0 leaves it out.
	Expiring int
	// Starts are the numbers of upstreams that start together.
	Starts []int
	// Server is the command that runs [Serve].
	Server []string
}

// limit bounds each storm.
const limit = 10 * time.Minute

// Run measures and prints a table for each kind of storm.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if o.Calls > 0 || o.Expiring > 0 {
		fmt.Fprint(out, "\n| storm | upstreams | calls | failed | refreshes | at once at most | until all are answered | fsyncs | peak heap |\n|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, s := range []struct {
		name             string
		upstreams, calls int
	}{{"calls on one expired token", 1, o.Calls}, {"tokens that expire together", o.Expiring, o.Expiring}} {
		if s.calls == 0 {
			continue
		}
		r, err := refresh(ctx, s.upstreams, s.calls)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(out, "| %s | %d | %d | %d | %d | %d | %s | %d | %s |\n", s.name, s.upstreams, s.calls, r.failed, r.refreshes, r.most, spoken(r.took), r.fsyncs, mib(r.heap))
		if r.failed > 0 || r.refreshes != s.upstreams {
			return fmt.Errorf("%s: %d calls failed (%v), and there were %d refreshes", s.name, r.failed, r.failure, r.refreshes)
		}
	}
	if len(o.Starts) > 0 {
		fmt.Fprint(out, "\n| upstreams | until all are connected | CPU | fsyncs | peak heap | settled: heap | goroutines |\n|---|---|---|---|---|---|---|\n")
	}
	for _, n := range o.Starts {
		r, err := coldStart(ctx, n, o.Server)
		if err != nil {
			return fmt.Errorf("the start of %d: %w", n, err)
		}
		fmt.Fprintf(out, "| %d | %s | %s | %d | %s | %s | %d |\n", n, spoken(r.took), spoken(r.cpu), r.fsyncs, mib(r.heap), mib(r.settled), r.goroutines)
	}
	return nil
}

func spoken(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
