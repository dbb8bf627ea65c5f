package upstream

import (
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/store"
)

// keptEntries bounds the entries that wait for a disk that does not take them; the
// store keeps no more of an upstream either.
const keptEntries = 1000

// gather is how long the first entry waits for others of its moment: a step's
// entries go to the disk together.
const gather = 5 * time.Millisecond

// journal writes an upstream's entries to the store in batches, off the path of
// events and calls. A goroutine exists only while there is something to write. What
// the disk refuses is written with what comes next, so that a disk that was full
// for a while leaves no hole.
type journal struct {
	store    *store.Store
	upstream string
	logger   *slog.Logger

	mu      sync.Mutex
	waiting [][]byte
	writer  *sync.WaitGroup // of the running writer; nil while none runs
}

func (j *journal) append(entry fsm.Entry) {
	line, err := json.Marshal(entry)
	if err != nil {
		j.logger.Error("a journal entry could not be encoded", "error", err)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(j.waiting, line)
	if j.writer == nil {
		j.begin()
	}
}

// begin starts the writer; the lock is held.
func (j *journal) begin() {
	j.writer = &sync.WaitGroup{}
	j.writer.Go(j.write)
}

func (j *journal) write() {
	<-time.After(gather)
	for {
		j.mu.Lock()
		batch := j.waiting
		j.waiting = nil
		if len(batch) == 0 {
			j.writer = nil
			j.mu.Unlock()
			return
		}
		j.mu.Unlock()
		if err := j.store.Append(j.upstream, batch...); err != nil {
			j.logger.Error("the journal could not be written; it is tried again with the next entry", "entries", len(batch), "error", err)
			j.keep(batch)
			return
		}
	}
}

// keep puts a batch back before what has come since, and ends the writer.
func (j *journal) keep(batch [][]byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(batch, j.waiting...)
	j.waiting = j.waiting[max(0, len(j.waiting)-keptEntries):]
	j.writer = nil
}

// close waits until all entries so far are written, or were refused once more.
func (j *journal) close() {
	j.mu.Lock()
	if j.writer == nil && len(j.waiting) > 0 {
		j.begin()
	}
	writer := j.writer
	j.mu.Unlock()
	if writer != nil {
		writer.Wait()
	}
}
