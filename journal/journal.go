// Package journal reads the journal of one upstream: what its entries say together
// that none says alone.
//
// It promises that it judges nothing again (an entry's disposition is what the machine
// said), and that it counts nothing twice: not where a process died without a word,
// and not where old entries were dropped. It reads no files, and holds no secret, as
// entries have none.
package journal

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

// Line is an entry with what the entries before it and the declaration add.
type Line struct {
	fsm.Entry
	// Passed are the guards that let the event pass.
	Passed []string `json:"passed,omitempty"`
	// InState is how long the region had been in From, in milliseconds; nil where the
	// entry to From is not in the journal.
	InState *int64 `json:"in_state_ms,omitempty"`
	// Refused says that the machine refused the event and is as before.
	Refused bool `json:"refused,omitempty"`
	// NewProcess says that a new process began with this entry.
	NewProcess bool `json:"new_process,omitempty"`
}

// Reader reads entries in their order. It belongs to one goroutine.
type Reader struct {
	guards   map[row][]string
	entered  map[string]entry
	sequence uint64
	begun    bool
}

type row struct{ region, state, event string }

// entry is where a region is, and since when.
type entry struct {
	state string
	at    time.Time
}

// NewReader returns a reader of one upstream's journal.
func NewReader() *Reader {
	r := &Reader{guards: map[row][]string{}, entered: map[string]entry{}}
	for _, region := range transitions.Definition().Graph().Regions {
		for _, edge := range region.Edges {
			for _, guard := range edge.Guards {
				key := row{region.Name, edge.From, edge.Event}
				r.guards[key] = append(r.guards[key], guard.Name)
			}
		}
	}
	return r
}

// Entered tells the reader where a region is, for a journal that is read from its
// middle on.
func (r *Reader) Entered(region, state string, at time.Time) {
	r.entered[region] = entry{state, at}
}

// Read reads the next entry.
func (r *Reader) Read(e fsm.Entry) Line {
	line := Line{Entry: e, Refused: e.Disposition.Refused()}
	if r.begun && r.another(e) {
		line.NewProcess = true
		clear(r.entered)
	}
	r.begun, r.sequence = true, e.Sequence
	if at, known := r.entered[e.Region]; known && at.state == e.From {
		ms := e.Time.Sub(at.at).Milliseconds()
		line.InState = &ms
	}
	if e.Disposition == fsm.Moved || e.Disposition == fsm.Updated {
		line.Passed = r.guards[row{e.Region, e.From, e.Event}]
	}
	if e.Disposition == fsm.Moved {
		at := e.Time
		if e.Again != nil {
			at = e.Again.Last
		}
		r.entered[e.Region] = entry{e.To, at}
	}
	return line
}

// another reports whether an entry is of another process than the one before it: a
// machine counts its moves and updates from 1 on.
func (r *Reader) another(e fsm.Entry) bool {
	counted := e.Disposition == fsm.Moved || e.Disposition == fsm.Updated
	return e.Sequence < r.sequence || counted && e.Sequence == r.sequence
}

// Lines reads a whole journal, oldest entry first.
func Lines(entries []fsm.Entry) []Line {
	r := NewReader()
	all := make([]Line, 0, len(entries))
	for _, e := range entries {
		all = append(all, r.Read(e))
	}
	return all
}

// Since returns the lines from a moment on.
func Since(lines []Line, at time.Time) []Line {
	for i, line := range lines {
		if !line.Time.Before(at) || line.Again != nil && !line.Again.Last.Before(at) {
			return lines[i:]
		}
	}
	return []Line{}
}

// Last returns the last n lines; 0 means all.
func Last(lines []Line, n int) []Line {
	if n > 0 && len(lines) > n {
		return lines[len(lines)-n:]
	}
	return lines
}
