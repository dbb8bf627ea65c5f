package upstream

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/store"
)

// keptEntries bounds the entries that wait for a disk that does not take them.
const keptEntries = 20_000

// gather is how long a writer waits for others of the moment: the entries of
// a step, and those of upstreams that move together, go to the disk together.
const gather = 5 * time.Millisecond

// journal writes the entries of all upstreams to the store in batches, off the path
// of events and calls. One goroutine exists while there is something to write. What
// the disk refuses is written with what comes next, so that a disk that was full
// for a while leaves no hole.
type journal struct {
	store  *store.Store
	logger *slog.Logger

	mu      sync.Mutex
	waiting []store.Entry
	// next is closed when what waits now was tried, current when what is being
	// written was; nil where there is nothing of the kind.
	next, current chan struct{}
	running       bool // a writer is there and will see what waits
	work          sync.WaitGroup
}

func (j *journal) append(upstream string, entry fsm.Entry) {
	line, err := json.Marshal(entry)
	if err != nil {
		j.logger.Error("a journal entry could not be encoded", "upstream", upstream, "error", err)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(j.waiting, store.Entry{Upstream: upstream, Line: line})
	j.begin()
}

// begin sees to it that what waits will be tried; the lock is held.
func (j *journal) begin() {
	if j.next == nil {
		j.next = make(chan struct{})
	}
	if !j.running {
		j.running = true
		j.work.Go(j.write)
	}
}

func (j *journal) write() {
	for {
		<-time.After(gather)
		batch := j.take()
		if batch == nil {
			return
		}
		if err := j.store.Append(batch...); err != nil {
			j.logger.Error("the journal could not be written; it is tried again with the next entry", "entries", len(batch), "error", err)
			j.keep(batch)
		}
		j.tried()
	}
}

// take returns what is to be written next, or nil, which ends the writer.
func (j *journal) take() []store.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.next == nil {
		j.running = false
		return nil
	}
	batch := j.waiting
	j.waiting, j.current, j.next = nil, j.next, nil
	return batch
}

// tried tells who waits for what was written last.
func (j *journal) tried() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.current)
	j.current = nil
}

// keep puts a batch back before what has come since, to be tried with the next entry.
func (j *journal) keep(batch []store.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(batch, j.waiting...)
	j.waiting = j.waiting[max(0, len(j.waiting)-keptEntries):]
}

// flush waits until all entries so far are written, or were refused once more.
func (j *journal) flush() {
	j.mu.Lock()
	if len(j.waiting) > 0 {
		j.begin()
	}
	ends := []chan struct{}{j.current, j.next}
	j.mu.Unlock()
	for _, end := range ends {
		if end != nil {
			<-end
		}
	}
}

// close waits for what was begun.
func (j *journal) close() {
	j.flush()
	j.work.Wait()
}
