package storms

import (
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"time"
)

// watch is the memory of this process from a moment on.
type watch struct {
	before, peak int64
	stop         chan struct{}
	work         sync.WaitGroup
}

func watched() *watch {
	w := &watch{before: heap(), stop: make(chan struct{})}
	w.work.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.peak = max(w.peak, objects())
			case <-w.stop:
				return
			}
		}
	})
	return w
}

// end returns the most that was allocated and not yet freed, beyond what there was.
func (w *watch) end() int64 {
	close(w.stop)
	w.work.Wait()
	return max(w.peak-w.before, 0)
}

// objects is the heap with what the collector has not come to yet.
func objects() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64())
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools hold outlasts one
	return objects()
}

// cpu is the time that this process has spent on a processor.
func cpu() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
