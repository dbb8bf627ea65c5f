package fsm

import "time"

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

func (s *Steps[S, E, D, P]) add(a *attempt[S, E, D, P], first bool) {
	if first {
		s.Outcome, s.Err = a.outcome, a.err
	}
	s.Entries = append(s.Entries, a.entry())
}

func (a *attempt[S, E, D, P]) entry() Entry {
	entry := Entry{Time: a.input.At, Machine: a.snapshot.Machine, Sequence: a.snapshot.Sequence, Epoch: a.outcome.Epoch,
		Event: string(a.input.Event), Actor: a.input.Actor, From: string(a.outcome.From), To: string(a.outcome.To),
		Disposition: a.outcome.Disposition, Guard: a.guard, RaisedBy: string(a.raisedBy), Flow: a.input.Flow}
	if a.region != nil {
		entry.Region = a.region.spec.Name
	}
	if a.move != nil {
		entry.Sequence++
	} else {
		entry.Reason = a.outcome.Reason
	}
	if noter, ok := any(a.input.Payload).(Noter); ok {
		entry.Note = noter.Note()
	}
	return entry
}

// undone turns the steps into the refusal of their first event.
func (s *Steps[S, E, D, P]) undone(before *Snapshot[S, E, D, P], in Input[E, P], err error) Steps[S, E, D, P] {
	first := s.Entries[0]
	first.Disposition, first.Reason, first.To = Vetoed, err.Error(), first.From
	first.Sequence = before.Sequence
	refusal := Refusal{Machine: before.Machine, Region: first.Region, State: first.From, Event: string(in.Event), Epoch: before.Region(first.Region).Epoch, Flow: in.Flow, Reason: err.Error()}
	return Steps[S, E, D, P]{
		Outcome: Outcome[S]{Disposition: Vetoed, From: S(first.From), To: S(first.From), Epoch: refusal.Epoch, Reason: err.Error()},
		Err:     &VetoError{Refusal: refusal, Err: err},
		Entries: []Entry{first},
	}
}
