package fsm

import (
	"reflect"
	"time"
)

// Entry is one line of a machine's journal: one event, accepted or refused. It
// holds no data and no payload beyond the payload's own [Noter] remark.
type Entry struct {
	Time    time.Time `json:"time"`
	Machine string    `json:"machine"`
	Region  string    `json:"region,omitempty"`
	// Sequence of the machine after the event.
	Sequence    uint64      `json:"sequence"`
	Epoch       uint64      `json:"epoch"`
	Event       string      `json:"event"`
	Actor       Actor       `json:"actor,omitempty"`
	From        string      `json:"from,omitempty"`
	To          string      `json:"to,omitempty"`
	Disposition Disposition `json:"disposition"`
	Guard       string      `json:"guard,omitempty"`
	// Reason says why an event was refused, joined, postponed or ignored.
	Reason string `json:"reason,omitempty"`
	// RaisedBy is the event whose signal this is.
	RaisedBy string `json:"raised_by,omitempty"`
	Flow     string `json:"flow,omitempty"`
	Note     string `json:"note,omitempty"`
	// Again says, at the last entry of a round, how often the round came again; nil mostly.
	Again *Again `json:"again,omitempty"`
}

// Steps is everything that one event and what it raised came to.
type Steps[S, E ~string, D, P any] struct {
	// Outcome and Err are those of the event itself.
	Outcome Outcome[S]
	Err     error
	// Moves in the order in which they were made.
	Moves []Move[S, E, D, P]
	// Entries has one entry for each event, accepted or refused.
	Entries []Entry
}

// note adds the entry for an attempt.
func (r *run[S, E, D, P]) note(a *attempt[S, E, D, P]) {
	r.Entries = longer(r.Entries)
	entry := &r.Entries[len(r.Entries)-1]
	entry.Time, entry.Machine, entry.Sequence, entry.Epoch = a.input.At, a.snapshot.Machine, a.snapshot.Sequence, a.outcome.Epoch
	entry.Event, entry.Actor, entry.From, entry.To = string(a.input.Event), a.input.Actor, string(a.outcome.From), string(a.outcome.To)
	entry.Disposition, entry.Guard, entry.RaisedBy, entry.Flow, entry.Note = a.outcome.Disposition, a.guard, string(a.raisedBy), a.input.Flow,
		a.note
	if a.column != nil {
		entry.Region = a.column.region.spec.Name
	}
	if a.move != nil {
		entry.Sequence++
	} else {
		entry.Reason = a.outcome.Reason
	}
}

// remarks returns what asks a payload for its [Noter] remark without allocating:
// a value is asked by its address.
func remarks[P any]() func(*P) string {
	var example P
	if _, ok := any(&example).(Noter); ok {
		return func(payload *P) string { return any(payload).(Noter).Note() }
	}
	switch reflect.TypeFor[P]().Kind() {
	case reflect.Interface, reflect.Pointer:
		return func(payload *P) string {
			if noter, ok := any(*payload).(Noter); ok {
				return noter.Note()
			}
			return ""
		}
	}
	return func(*P) string { return "" }
}

// undo turns the step into the refusal of its first event.
func (r *run[S, E, D, P]) undo(d *Definition[S, E, D, P], before *Snapshot[S, E, D, P], err error) {
	in, reason := &r.queue[0].input, err.Error()
	region := d.columns[in.Event].region
	active := &before.Regions[region.index]
	clear(r.Moves)
	r.Moves = r.Moves[:0]
	r.Outcome = Outcome[S]{Disposition: Vetoed, From: active.State, To: active.State, Epoch: active.Epoch, Reason: reason}
	r.Err = &VetoError{Err: err, Refusal: Refusal{
		Machine:  before.Machine,
		Region:   active.Region,
		State:    string(active.State),
		Event:    string(in.Event),
		Epoch:    active.Epoch,
		Flow:     in.Flow,
		Accepted: region.accepted[active.State],
		Reason:   reason,
	}}
	if r.silent {
		return
	}
	clear(r.Entries[1:])
	r.Entries = r.Entries[:1]
	first := &r.Entries[0]
	first.Disposition, first.Reason, first.To = Vetoed, reason, first.From
	first.Sequence, first.Epoch = before.Sequence, active.Epoch
}
