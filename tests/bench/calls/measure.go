package calls

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/tests/bench/rounds"
)

// What is compared.
var (
	sizes         = []int{100, 10 << 10, 1 << 20}
	concurrencies = []int{1, 16, 128}
	payloads      = func() map[int]string {
		all := map[int]string{}
		for _, size := range sizes {
			all[size] = Payload(size)
		}
		return all
	}()
	ids atomic.Int64
)

// Options of a comparison.
type Options struct {
	// Directory of this module.
	Directory string
	// Block is how long each hop is measured in each round.
	Block  time.Duration
	Rounds int
	// Peers says whether the proxies from npm take part.
	Peers bool
	// Only, if set, names the ways that take part beside the floor.
	Only []string
	// Sizes and Concurrencies, if set, are measured instead of all.
	Sizes, Concurrencies []int
}

// block is one hop's turn.
type block struct {
	calls     int
	elapsed   time.Duration
	cpu       time.Duration
	peak      int64
	latencies []time.Duration
	err       error
}

// cell is what all rounds say of one hop, one size and one concurrency.
type cell struct {
	rate        float64 // calls a second
	median, p99 time.Duration
	cpu         float64   // seconds for 1,000 calls; 0 for none
	cpus        []float64 // the same of each round
	peak        int64
	err         error
}

// Run measures every way and prints one table for each size.
func Run(ctx context.Context, o Options, out io.Writer) error {
	scratch, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() { _ = http.Serve(listener, answering()) }() // ends with the listener
	p := &plan{scratch: scratch, server: "http://" + listener.Addr().String()}
	if err := prepare(ctx, p, o.Directory, o.Peers); err != nil {
		return err
	}
	all, err := p.ways(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, w := range all {
			w.stop()
		}
	}()
	taking := slices.DeleteFunc(slices.Clone(all), func(w *way) bool {
		return len(o.Only) > 0 && w != all[0] && w != all[1] && !slices.Contains(o.Only, w.name)
	})
	for _, size := range orAll(o.Sizes, sizes) {
		for _, concurrency := range orAll(o.Concurrencies, concurrencies) {
			cells, err := compare(ctx, o, taking, size, concurrency)
			if err != nil {
				return err
			}
			printCells(out, size, concurrency, taking, cells)
		}
	}
	return nil
}

func orAll(some, all []int) []int {
	if len(some) > 0 {
		return some
	}
	return all
}

// compare lets the ways take turns.
func compare(ctx context.Context, o Options, ways []*way, size, concurrency int) ([]cell, error) {
	blocks := make([][]block, len(ways))
	for range o.Rounds {
		for i, w := range ways {
			b := measure(ctx, w, size, concurrency, o.Block)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			blocks[i] = append(blocks[i], b)
		}
	}
	cells := make([]cell, len(ways))
	for i := range ways {
		cells[i] = summary(blocks[i])
	}
	return cells, nil
}

// measure is one block: as many workers as told, each making one call after the
// other until the time is over.
func measure(ctx context.Context, w *way, size, concurrency int, length time.Duration) block {
	ctx, cancel := context.WithTimeout(ctx, length+30*time.Second)
	defer cancel()
	if err := w.caller.call(ctx, size); err != nil { // warms the connection
		return block{err: err}
	}
	var b block
	var before time.Duration
	if w.process != nil {
		w.process.forgetPeak()
		if before, b.err = w.process.cpu(); b.err != nil {
			return b
		}
	}
	var mu sync.Mutex
	var workers sync.WaitGroup
	begin := time.Now()
	for range concurrency {
		workers.Go(func() {
			var latencies []time.Duration
			var failure error
			for time.Since(begin) < length && failure == nil {
				sent := time.Now()
				failure = w.caller.call(ctx, size)
				latencies = append(latencies, time.Since(sent))
			}
			mu.Lock()
			defer mu.Unlock()
			b.latencies = append(b.latencies, latencies...)
			if failure != nil {
				b.err = failure
			}
		})
	}
	workers.Wait()
	b.elapsed, b.calls = time.Since(begin), len(b.latencies)
	if w.process != nil && b.err == nil {
		var after time.Duration
		after, b.err = w.process.cpu()
		b.cpu, b.peak = after-before, w.process.peak()
	}
	return b
}

// summary takes the medians over the rounds; latencies are taken together.
func summary(blocks []block) cell {
	var c cell
	var rates []float64
	var latencies []time.Duration
	for _, b := range blocks {
		if b.err != nil {
			c.err = b.err
			return c
		}
		rates = append(rates, float64(b.calls)/b.elapsed.Seconds())
		c.cpus = append(c.cpus, b.cpu.Seconds()/float64(b.calls)*1000)
		latencies = append(latencies, b.latencies...)
		c.peak = max(c.peak, b.peak)
	}
	slices.Sort(latencies)
	c.rate, c.cpu = rounds.Median(rates), rounds.Median(c.cpus)
	c.median, c.p99 = latencies[len(latencies)/2], latencies[min(len(latencies)*99/100, len(latencies)-1)]
	return c
}

// ratio is that of the CPU time; there is none to what failed.
func ratio(of, to cell) float64 {
	if to.err != nil {
		return math.NaN()
	}
	return rounds.Ratio(of.cpus, to.cpus)
}

// printCells prints one table; the second way is the floor that ratios are of.
func printCells(out io.Writer, size, concurrency int, ways []*way, cells []cell) {
	fmt.Fprintf(out, "\n%s each way, concurrency %d\n\n", inBytes(int64(size)), concurrency)
	fmt.Fprintf(out, "| %-14s | %9s | %9s | %9s | %9s | %13s | %8s | %9s |\n", "hop", "calls/s", "median", "p99", "p99 added", "CPU s / 1,000", "/ floor", "peak")
	fmt.Fprintf(out, "|%s|%s|%s|%s|%s|%s|%s|%s|\n", "---", "---", "---", "---", "---", "---", "---", "---")
	for i, c := range cells {
		if c.err != nil {
			fmt.Fprintf(out, "| %-14s | failed: %.150s |\n", ways[i].name, c.err)
			continue
		}
		cpu, times, added, peak := "", "", "", ""
		if ways[i].process != nil {
			cpu, times = fmt.Sprintf("%.4f", c.cpu), fmt.Sprintf("%.2f", ratio(c, cells[1]))
			added, peak = round(c.p99-cells[0].p99).String(), inBytes(c.peak)
		}
		fmt.Fprintf(out, "| %-14s | %9.0f | %9s | %9s | %9s | %13s | %8s | %9s |\n", ways[i].name, c.rate, round(c.median), round(c.p99), added, cpu, times, peak)
	}
}

func round(d time.Duration) time.Duration {
	if d.Abs() > 10*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

func inBytes(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
