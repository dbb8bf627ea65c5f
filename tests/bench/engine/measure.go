package engine

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options of a comparison.
type Options struct {
	// Block is how long each subject is measured in each round.
	Block  time.Duration
	Rounds int
}

// aspect is what is measured of every subject.
type aspect struct {
	name string
	// clock is what the time is measured by.
	clock func() time.Duration
	// prepare returns what does it n times, and what ends it.
	prepare func(Subject) (do func(n int), end func())
}

var aspects = []aspect{
	{"accepted", cpu, func(s Subject) (func(int), func()) { return s.start().pass, nothing }},
	{"illegal", cpu, func(s Subject) (func(int), func()) {
		t := s.start()
		return func(n int) { _ = t.illegal(n) }, nothing
	}},
	{"guarded", cpu, func(s Subject) (func(int), func()) {
		t := s.start()
		if t.guarded == nil {
			return nil, nothing
		}
		return func(n int) { _ = t.guarded(n) }, nothing
	}},
	{"read", cpu, func(s Subject) (func(int), func()) {
		t := s.start()
		return func(n int) { seen.Store(t.read(n)) }, nothing
	}},
	// The writer's time is not the reader's, and to wait for the writer's lock is: what
	// passes for the reader is measured.
	{"read beside a writer", wall, func(s Subject) (func(int), func()) {
		t := s.start()
		return func(n int) { seen.Store(t.read(n)) }, writing(t)
	}},
}

// seen keeps the compiler from leaving reads out.
var seen atomic.Value

func nothing() {}

// writing lets a goroutine make transitions until the function that it returns is called.
func writing(t turnstile) (stop func()) {
	var stopped atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for !stopped.Load() {
			t.pass(100)
		}
	})
	return func() {
		stopped.Store(true)
		work.Wait()
	}
}

// Cost is what one operation costs.
type Cost struct {
	Nanoseconds float64
	// Allocations and Bytes are those of the heap. They are 0 beside a writer, whose
	// own cannot be told apart.
	Allocations, Bytes float64
}

// compare lets the subjects take turns at one aspect, and returns what each cost in
// each round. A subject that has no such aspect is not in it.
func compare(o Options, a aspect, subjects []Subject) map[string][]Cost {
	costs := map[string][]Cost{}
	// The heap of a process that runs thousands of machines. The garbage collector runs
	// by the size of the heap; without it, it would run a hundred times as often as it
	// does in such a process. It is held here only: the hops are this program too.
	ballast := make([]byte, 64<<20)
	defer runtime.KeepAlive(ballast)
	for range o.Rounds {
		for _, s := range subjects {
			do, end := a.prepare(s)
			if do != nil {
				costs[s.Name] = append(costs[s.Name], block(do, o.Block, a.clock))
			}
			end()
		}
	}
	return costs
}

// best is the cheapest round: what else the machine does only adds.
func best(rounds []Cost) Cost {
	return slices.MinFunc(rounds, func(a, b Cost) int { return cmp.Compare(a.Nanoseconds, b.Nanoseconds) })
}

// times is how long each operation took in each round.
func times(costs []Cost) []float64 {
	all := make([]float64, len(costs))
	for i, c := range costs {
		all[i] = c.Nanoseconds
	}
	return all
}

// block does one thing for about as long as told.
func block(do func(n int), length time.Duration, clock func() time.Duration) Cost {
	n := 1000
	for { // as often as takes a tenth of the time
		begin := time.Now()
		do(n)
		if time.Since(begin) > length/10 {
			break
		}
		n *= 2
	}
	n *= 10
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := clock()
	do(n)
	elapsed := clock() - begin
	runtime.ReadMemStats(&after)
	each := func(total uint64) float64 { return float64(total) / float64(n) }
	return Cost{Nanoseconds: float64(elapsed) / float64(n), Allocations: each(after.Mallocs - before.Mallocs), Bytes: each(after.TotalAlloc - before.TotalAlloc)}
}

var started = time.Now()

// wall is the time that has passed, with what this goroutine waited for.
func wall() time.Duration { return time.Since(started) }

// cpu is the time that this process has spent on a processor.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
