package upstream

import (
	"sync"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// seen keeps the journal's entries that users ask for first: the last refused ones,
// and for each region the one that led to its state.
type seen struct {
	mu      sync.Mutex
	refused []fsm.Entry
	moved   map[string]entered
}

// entered is how a state was entered: by an event or, where that says only that a turn
// has come, by what it was waited for after.
type entered struct {
	by    fsm.Entry
	after *fsm.Entry
}

// keptRefusals bounds the refused ones.
const keptRefusals = 8

func (s *seen) add(entry fsm.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case entry.Disposition.Refused():
		if s.refused = append(s.refused, entry); len(s.refused) > keptRefusals {
			s.refused = s.refused[1:]
		}
	case entry.Disposition == fsm.Moved:
		if s.moved == nil {
			s.moved = map[string]entered{}
		}
		now := entered{by: entry}
		if transitions.TurnOf(states.State(entry.From)) == transitions.Event(entry.Event) {
			queued := s.moved[entry.Region].by
			now.after = &queued
		}
		s.moved[entry.Region] = now
	}
}

func (s *seen) refusals() []fsm.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]fsm.Entry{}, s.refused...)
}

// entry is the one that began the epoch in the region, and after what its turn was
// waited for, if it was; nil where none did, or where it is not told yet: machines move
// before they tell.
func (s *seen) entry(region string, epoch uint64) (entry, after *fsm.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now, ok := s.moved[region]; ok && now.by.Epoch == epoch {
		return &now.by, now.after
	}
	return nil, nil
}
