package upstream

import (
	"encoding/json"
	"log/slog"
	"sync"

	"mcpproxy/fsm"
	"mcpproxy/store"
)

// journal writes an upstream's entries to the store in batches, off the path of
// events and calls. A goroutine exists only while there is something to write.
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
		j.writer = &sync.WaitGroup{}
		j.writer.Go(j.write)
	}
}

func (j *journal) write() {
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
			j.logger.Error("the journal could not be written", "entries", len(batch), "error", err)
		}
	}
}

// close waits until all entries so far are written.
func (j *journal) close() {
	j.mu.Lock()
	writer := j.writer
	j.mu.Unlock()
	if writer != nil {
		writer.Wait()
	}
}
