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

func (j *journal) append(upstream string, w fsm.Written) {
	if len(w.Entries) == 0 {
		return
	}
	entries := make([]store.Entry, 0, len(w.Entries))
	for i := range w.Entries {
		line, err := json.Marshal(w.Entries[i])
		if err != nil {
			j.logger.Error("a journal entry could not be encoded", "upstream", upstream, "error", err)
			return
		}
		entries = append(entries, store.Entry{Upstream: upstream, Line: line, InPlace: w.In && i == 0})
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting = append(j.waiting, entries...)
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
	dropped := map[string]bool{}
	for len(j.waiting) > keptEntries {
		dropped[j.waiting[0].Upstream] = true
		j.waiting = j.waiting[1:]
	}
	for i := range j.waiting {
		if of := j.waiting[i].Upstream; dropped[of] {
			j.waiting[i].InPlace = false // that place was dropped
			delete(dropped, of)
		}
	}
}

// flush waits until all entries so far are written, or were refused once more, and
// reports whether none waits.
func (j *journal) flush() bool {
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
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.waiting) == 0
}

// close waits for what was begun.
func (j *journal) close() {
	j.flush()
	j.work.Wait()
}

// record is an upstream's journal as far as it is not written yet.
type record struct {
	mu      sync.Mutex
	fold    fsm.Fold
	written int // entries so far
}

// record writes an entry to the journal, where it is not as a round before. Where a round
// ends that has come again, it returns how often.
func (u *Upstream) record(entry *fsm.Entry) (again bool, ended uint64) {
	r := &u.recorded
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.fold.Times()
	w, again := r.fold.Add(*entry)
	r.written += len(w.Entries)
	u.environment.journal.append(u.config.Name, w)
	if r.fold.Times() < before {
		ended = before
	}
	return again, ended
}

// held is what the journal lacks, and how much was written before.
func (r *record) held() (fsm.Written, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fold.Held(), r.written
}

// readings bounds how often a journal is read that goes on meanwhile.
const readings = 3

// Journal returns the last limit lines of the journal (0 for all), the newest last, with
// what is not on disk yet.
func (u *Upstream) Journal(limit int) (lines []json.RawMessage, err error) {
	for range readings {
		whole := u.environment.journal.flush()
		held, written := u.recorded.held()
		stored, err := u.environment.Store.Journal(u.config.Name, 0)
		if err != nil {
			return nil, err
		}
		lines = make([]json.RawMessage, 0, len(stored)+len(held.Entries))
		for _, line := range stored {
			lines = append(lines, line)
		}
		if _, now := u.recorded.held(); !whole || now != written {
			continue
		}
		if lines, err = with(lines, held); err != nil {
			return nil, err
		}
		break
	}
	if limit > 0 && len(lines) > limit {
		lines = lines[len(lines)-limit:]
	}
	return lines, nil
}

// with adds to stored lines what is held back.
func with(lines []json.RawMessage, held fsm.Written) ([]json.RawMessage, error) {
	if held.In && len(lines) > 0 {
		lines = lines[:len(lines)-1]
	}
	for i := range held.Entries {
		line, err := json.Marshal(held.Entries[i])
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}
