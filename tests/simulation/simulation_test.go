//go:debug randseednop=0

package simulation

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 24, "how many seeds to run")
	first = flag.Uint64("first", 1, "the first seed")
	hours = flag.Int("hours", 3, "simulated hours of faults for each seed")
	twice = flag.Int("twice", 4, "how many seeds to run twice")
	tell  = flag.Bool("tell", false, "print the runs' traces")
)

// directory is on a disk in memory where there is one: what is slow here is said
// by the seed.
func directory(t *testing.T) string {
	t.Helper()
	parent := ""
	if _, err := os.Stat("/dev/shm"); err == nil {
		parent = "/dev/shm"
	}
	dir, err := os.MkdirTemp(parent, "mcpproxy-simulation-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// simulate is one run of a seed.
func simulate(t *testing.T, seed uint64, storm time.Duration) (r result) {
	t.Helper()
	dir := directory(t)
	synctest.Test(t, func(t *testing.T) { r = newWorld(t, seed, dir).run(storm) })
	_ = os.RemoveAll(dir)
	return r
}

// Whatever the seed breaks, the promises hold, and when nothing is broken any more
// every upstream comes back.
func TestSeeds(t *testing.T) {
	var all figures
	for i := range *seeds {
		seed := *first + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := simulate(t, seed, time.Duration(*hours)*time.Hour)
			for _, v := range r.violations {
				t.Error(v)
			}
			if *tell {
				for _, line := range r.story {
					fmt.Println(line)
				}
			}
			all.add(r)
		})
	}
	fmt.Println(all.text())
}

// A seed is a run: what it shows can be shown again.
func TestSameSeedSameRun(t *testing.T) {
	for i := range *twice {
		seed := *first + uint64(i)
		one, two := simulate(t, seed, time.Hour), simulate(t, seed, time.Hour)
		if one.hash != two.hash {
			t.Errorf("seed %d gave two runs, which part at\n%s", seed, parting(one.story, two.story))
		}
	}
}

func parting(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d\n%q\n%q", i, a[max(0, i-5):min(i+5, len(a))], b[max(0, i-5):min(i+5, len(b))])
		}
	}
	return fmt.Sprintf("the end: %d and %d lines", len(a), len(b))
}
