package upstream

import (
	"sync"

	"mcpproxy/fsm"
)

// seen keeps the journal's entries that people ask for first: the last refused ones,
// and for each region the one that led to its state.
type seen struct {
	mu      sync.Mutex
	refused []fsm.Entry
	moved   map[string]fsm.Entry
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
			s.moved = map[string]fsm.Entry{}
		}
		s.moved[entry.Region] = entry
	}
}

func (s *seen) refusals() []fsm.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]fsm.Entry{}, s.refused...)
}

// entry is the one that began the epoch in the region; nil where none did, or where
// it is not told yet: machines move before they tell.
func (s *seen) entry(region string, epoch uint64) *fsm.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, ok := s.moved[region]; ok && entry.Epoch == epoch {
		return &entry
	}
	return nil
}
