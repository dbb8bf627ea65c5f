package fsm

import (
	"fmt"
	"slices"
)

// ReplayError is the first entry of a journal that the graph does not explain.
type ReplayError struct {
	// Index of the entry in the journal, from 0.
	Index  int
	Entry  Entry
	Reason string
}

func (e *ReplayError) Error() string {
	return fmt.Sprintf("entry %d (%s: %s in %s, %s) is not explained by the graph: %s",
		e.Index, e.Entry.Machine, e.Entry.Event, e.Entry.From, e.Entry.Disposition, e.Reason)
}

// Replay checks a machine's journal against the graph: every entry happens in the
// state that the ones before led to, has the disposition that the table gives its
// event there, and leads where the table says. A journal may begin anywhere, as
// old entries are dropped; where a region stands is then learnt from its first
// entry. The error is a [*ReplayError].
//
// Data is not recorded, so that guards and commit hooks cannot be asked again: an
// event of a declared transition may have been refused by either.
func (d *Definition[S, E, D, P]) Replay(journal []Entry) error {
	at := map[string]S{}
	epochs := map[string]uint64{}
	for i, entry := range journal {
		reason := d.explain(entry, at, epochs)
		if reason != "" {
			return &ReplayError{Index: i, Entry: entry, Reason: reason}
		}
	}
	return nil
}

// explain returns why the graph does not explain an entry, or "".
func (d *Definition[S, E, D, P]) explain(entry Entry, at map[string]S, epochs map[string]uint64) string {
	home, known := d.home[E(entry.Event)]
	if !known {
		if entry.Disposition == Illegal {
			return ""
		}
		return "the graph has no such event"
	}
	r := d.regions[home]
	if entry.Region != r.spec.Name {
		return fmt.Sprintf("the event is one of the region %s", r.spec.Name)
	}
	if state, seen := at[entry.Region]; seen && entry.From != string(state) {
		return fmt.Sprintf("the region is in %s", state)
	}
	if _, declared := r.states[S(entry.From)]; !declared {
		return "the graph has no such state"
	}
	if reason := epochFits(entry, epochs[entry.Region]); reason != "" {
		return reason
	}
	if reason := r.agrees(entry); reason != "" {
		return reason
	}
	at[entry.Region], epochs[entry.Region] = S(entry.To), entry.Epoch
	return ""
}

// epochFits checks that entering a state makes a new epoch and nothing else does.
func epochFits(entry Entry, last uint64) string {
	switch {
	case last == 0:
		return ""
	case entry.Disposition == Moved && entry.Epoch <= last:
		return fmt.Sprintf("it enters a state with epoch %d, and the one before had %d", entry.Epoch, last)
	case entry.Disposition != Moved && entry.Epoch != last:
		return fmt.Sprintf("it has epoch %d without entering a state, and the state has %d", entry.Epoch, last)
	}
	return ""
}

// agrees checks an entry against the table's row for its state and event.
func (r *region[S, E, D, P]) agrees(entry Entry) string {
	row := r.rules[pair[S, E]{S(entry.From), E(entry.Event)}]
	allowed := []Disposition{row.disposition}
	if row.transition != nil {
		allowed = append(allowed, Guarded, Vetoed)
	}
	switch {
	case entry.Disposition == Stale:
	case !slices.Contains(allowed, entry.Disposition):
		return fmt.Sprintf("the graph says %s", row.disposition)
	}
	to := entry.From
	if entry.Disposition == Moved {
		to = string(row.transition.To)
	}
	if entry.To != to {
		return fmt.Sprintf("the graph leads to %s", to)
	}
	return ""
}
