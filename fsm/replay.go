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
// event there, and leads where the table says; what a transition raises or a state
// has postponed follows it and nothing else is raised; none is missing in between.
// The error is a [*ReplayError].
//
// A journal may begin anywhere, as old entries are dropped; where a region stands
// is then learnt from its first entry. It may go on with a new life of the machine,
// as after a restart, which begins in the initial states; a life may break off
// anywhere.
//
// Data is not recorded, so that guards and commit hooks cannot be asked again: an
// event of a declared transition may have been refused by either.
func (d *Definition[S, E, D, P]) Replay(journal []Entry) error {
	r := replay[S, E, D, P]{definition: d, lost: true}
	for i, entry := range journal {
		if r.lost || r.again(entry) {
			r.begin(entry, !r.lost)
		}
		reason := r.explain(entry)
		if reason == "" && entry.Again != nil {
			reason = r.repeat(journal[:i+1], entry.Again)
		}
		if reason != "" {
			return &ReplayError{Index: i, Entry: entry, Reason: reason}
		}
	}
	return nil
}

// repeat explains that the round which ends the entries came again: its entries have to
// be legal once more where it ended, and then they always are.
func (r *replay[S, E, D, P]) repeat(entries []Entry, again *Again) string {
	if again.Round < 1 || again.Times < 1 {
		return "it counts a round of no entries, or one that did not come again"
	}
	if r.lost = again.Round > len(entries); r.lost {
		return "" // its beginning was dropped; the next entry says where the machine is
	}
	round := entries[len(entries)-again.Round:]
	for _, entry := range round {
		if reason := r.explain(shifted(entry, round, 1)); reason != "" {
			return fmt.Sprintf("its round of %d entries cannot come again, as of %s %s", again.Round, entry.Event, reason)
		}
	}
	if len(r.raised) > 0 {
		return fmt.Sprintf("its round ends before %s, which %s raises", r.raised[0].event, r.raised[0].by)
	}
	last := shifted(round[len(round)-1], round, again.Times)
	r.sequence = last.Sequence
	for _, entry := range round {
		r.epochs[entry.Region] = shifted(entry, round, again.Times).Epoch
	}
	return ""
}

// replay is a machine as far as its journal tells.
type replay[S, E ~string, D, P any] struct {
	definition *Definition[S, E, D, P]
	// lost says that where the machine is, is not known: the next entry says it.
	lost bool
	// whole says that the life was seen from its beginning, amid that the entries so
	// far are the end of a step whose beginning was not.
	whole, amid bool
	sequence    uint64
	at          map[string]S
	epochs      map[string]uint64
	// raised are the events that have to come next, postponed those that come when
	// their region's state is left.
	raised, postponed []raised[E]
}

type raised[E ~string] struct{ event, by E }

// counts reports whether an entry of the disposition makes a new sequence number.
func (d Disposition) counts() bool { return d == Moved || d == Updated }

// again reports whether an entry is the first of another life: it counts from the
// beginning again.
func (r *replay[S, E, D, P]) again(entry Entry) bool {
	return entry.Sequence < r.sequence || entry.Sequence == r.sequence && entry.Disposition.counts()
}

// begin forgets the life before.
func (r *replay[S, E, D, P]) begin(first Entry, restarted bool) {
	*r = replay[S, E, D, P]{definition: r.definition, at: map[string]S{}, epochs: map[string]uint64{}}
	expected := uint64(0)
	if first.Disposition.counts() {
		expected = 1
	}
	if r.whole = restarted || first.Sequence == expected; !r.whole {
		r.amid, r.sequence = true, first.Sequence-expected
		return
	}
	for i, region := range r.definition.regions {
		r.at[region.spec.Name], r.epochs[region.spec.Name] = region.spec.Initial, uint64(i+1)
	}
}

// explain returns why the graph does not explain an entry, or "".
func (r *replay[S, E, D, P]) explain(entry Entry) string {
	if entry.Disposition.counts() {
		r.sequence++
	}
	if entry.Sequence != r.sequence {
		return fmt.Sprintf("it has the number %d, and %d should follow the entries before; some are missing", entry.Sequence, r.sequence)
	}
	if reason := r.follows(entry); reason != "" {
		return reason
	}
	home, known := r.definition.home[E(entry.Event)]
	if !known {
		if entry.Disposition == Illegal {
			return ""
		}
		return "the graph has no such event"
	}
	region := r.definition.regions[home]
	if entry.Region != region.spec.Name {
		return fmt.Sprintf("the event is one of the region %s", region.spec.Name)
	}
	if state, seen := r.at[entry.Region]; seen && entry.From != string(state) {
		return fmt.Sprintf("the region is in %s", state)
	}
	if _, declared := region.states[S(entry.From)]; !declared {
		return "the graph has no such state"
	}
	if reason := epochFits(entry, r.epochs[entry.Region]); reason != "" {
		return reason
	}
	if reason := region.agrees(entry); reason != "" {
		return reason
	}
	r.at[entry.Region], r.epochs[entry.Region] = S(entry.To), entry.Epoch
	r.raise(region, entry)
	return ""
}

// follows checks that an entry comes when its turn is: what was raised before
// anything else, and nothing raised that was not.
func (r *replay[S, E, D, P]) follows(entry Entry) string {
	this := raised[E]{E(entry.Event), E(entry.RaisedBy)}
	switch {
	case len(r.raised) > 0 && r.raised[0] == this:
		r.raised = r.raised[1:]
	case entry.RaisedBy == "" && len(r.raised) > 0:
		return fmt.Sprintf("%s, which %s raises, comes first", r.raised[0].event, r.raised[0].by)
	case entry.RaisedBy == "":
		r.amid = false
	case r.amid || !r.whole && r.postponable(this.event):
		// What raised it may stand before the journal's beginning.
	default:
		return fmt.Sprintf("%s does not raise it here", entry.RaisedBy)
	}
	return ""
}

// postponable reports whether any state postpones the event.
func (r *replay[S, E, D, P]) postponable(event E) bool {
	for _, region := range r.definition.regions {
		if slices.ContainsFunc(region.spec.Postpones, func(rule Rule[S, E]) bool { return rule.Event == event }) {
			return true
		}
	}
	return false
}

// raise notes what an entry leads to: the signals of the transition and of the
// state that it enters, and what was postponed until its state is left.
func (r *replay[S, E, D, P]) raise(region *region[S, E, D, P], entry Entry) {
	at := pair[S, E]{S(entry.From), E(entry.Event)}
	switch entry.Disposition {
	case Postponed:
		if !slices.ContainsFunc(r.postponed, func(p raised[E]) bool { return p.event == at.event }) {
			r.postponed = append(r.postponed, raised[E]{event: at.event})
		}
	case Moved, Updated:
		r.signal(at.event, region.rules[at].transition.Signals)
	}
	if entry.Disposition != Moved {
		return
	}
	r.signal(at.event, region.states[S(entry.To)].Signals)
	r.postponed = slices.DeleteFunc(r.postponed, func(p raised[E]) bool {
		due := r.definition.home[p.event] == region.index
		if due {
			r.signal(at.event, []E{p.event})
		}
		return due
	})
}

func (r *replay[S, E, D, P]) signal(by E, events []E) {
	for _, event := range events {
		r.raised = append(r.raised, raised[E]{event, by})
	}
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
