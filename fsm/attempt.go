package fsm

import (
	"fmt"
	"runtime/debug"
	"slices"
)

// attempt is one event on its way through one region.
type attempt[S, E ~string, D, P any] struct {
	run      *run[S, E, D, P]
	snapshot *Snapshot[S, E, D, P]
	input    *Input[E, P]
	raisedBy E
	commit   func(*Move[S, E, D, P]) error

	column  *column[S, E, D, P]
	rule    *rule[S, E, D, P]
	active  *Active[S, E]
	outcome *Outcome[S]
	guard   string
	note    string
	err     error
	// calling is the user code that is being called, should it panic; asked is the
	// number of the guard.
	calling callback
	asked   int
	// move is the last of the run's, where there is one.
	move  *Move[S, E, D, P]
	after *Snapshot[S, E, D, P]
}

// callback is a kind of user code.
type callback int

const (
	inNote callback = iota
	inGuard
	inUpdate
	inTimers
	inCommit
)

// decide takes the event through its region. It is the one door to user code that
// runs under a machine's lock (notes, guards, updates, timers and commit hooks): a
// panic in it refuses the event, and a re-entrant Fire is known by this method
// on its stack.
func (a *attempt[S, E, D, P]) decide(d *Definition[S, E, D, P]) {
	defer a.caught()
	a.column = d.columns[a.input.Event]
	if a.column == nil {
		a.outcome.Disposition = Illegal
		a.err = &unknownEventError{a.snapshot.Machine, string(a.input.Event)}
		return
	}
	a.active = &a.snapshot.Regions[a.column.region.index]
	a.rule = &a.column.rules[a.active.number]
	a.outcome.From, a.outcome.To, a.outcome.Epoch, a.outcome.Reason = a.active.State, a.active.State, a.active.Epoch, a.rule.reason
	if !a.run.silent {
		a.calling = inNote
		a.note = d.remark(&a.input.Payload)
	}
	if a.stale() {
		return
	}
	switch a.outcome.Disposition = a.rule.disposition; a.rule.disposition {
	case Illegal:
		a.err = &IllegalTransitionError{a.refusal(a.rule.reason)}
	case Postponed:
		a.postpone()
	case Moved, Updated:
		// Guards are asked first, so that looplab is only given what may happen: it
		// makes an error of its own, and what belongs to it, for each refusal.
		if a.ask(); a.err != nil {
			return
		}
		if !a.run.silent {
			a.run.carrier(a.column.region).carry(a)
		} else if a.prepare(); a.err == nil { // the map has agreed to every pair
			a.publish()
		}
	}
}

func (a *attempt[S, E, D, P]) stale() bool {
	reason := ""
	switch {
	case a.input.Epoch != 0 && a.input.Epoch != a.active.Epoch:
		reason = "the state that started it was left since"
	case a.input.Epoch == 0 && a.column.event.Bound && a.raisedBy == "":
		reason = "it is the outcome of a job or timer and carries no epoch"
	default:
		return false
	}
	a.outcome.Disposition = Stale
	a.outcome.Reason = reason
	a.err = &StaleError{Refusal: a.refusal(reason), Started: a.input.Epoch}
	return true
}

func (a *attempt[S, E, D, P]) refusal(reason string) Refusal {
	return Refusal{Machine: a.snapshot.Machine, Region: a.active.Region, State: string(a.active.State),
		Event: string(a.input.Event), Epoch: a.active.Epoch, Flow: a.input.Flow,
		Accepted: a.column.region.accepted[a.active.State], Reason: reason}
}

// postpone keeps the event for the next state, once: asking twice for the same is one request.
func (a *attempt[S, E, D, P]) postpone() {
	later := a.snapshot.later()
	for i := range later {
		if later[i].Event == a.input.Event {
			return
		}
	}
	after := *a.snapshot
	later = append(slices.Clone(later), *a.input)
	after.postponed = &later
	a.after = &after
}

// ask asks the guards, in their order, until one refuses.
func (a *attempt[S, E, D, P]) ask() {
	a.calling = inGuard
	for i := range a.rule.transition.Guards {
		guard := &a.rule.transition.Guards[i]
		a.asked = i
		if refused := guard.Check(a.snapshot.Data, a.input); refused != nil {
			reason := refused.Error()
			a.guard, a.outcome.Disposition, a.outcome.Reason = guard.Name, Guarded, reason
			a.err = &GuardError{Refusal: a.refusal(reason), Guard: guard.Name, Err: refused}
			return
		}
	}
}

// prepare computes what the machine will be after the move and commits to it.
func (a *attempt[S, E, D, P]) prepare() {
	t := a.rule.transition
	after := a.snapshot.copy()
	after.Sequence++
	active := &after.Regions[a.column.region.index]
	if a.rule.disposition == Moved {
		active.Place, active.Epoch, active.Since, active.Timers = a.rule.place, a.snapshot.lastEpoch()+1, a.input.At, nil
	}
	a.calling = inUpdate
	if t.Update != nil {
		after.Data = t.Update(after.Data, a.input)
	}
	if len(a.rule.to.Timers) > 0 {
		a.calling = inTimers
		active.Timers = armed(a.rule.to, after.Data, active.Since)
	}
	move := a.run.move()
	move.Region, move.Disposition, move.From, move.To = active.Region, a.rule.disposition, a.active.State, active.State
	move.Left, move.Epoch, move.Input, move.RaisedBy = a.active.Epoch, active.Epoch, a.input, a.raisedBy
	move.Timers, move.After = active.Timers, after
	if a.rule.disposition == Moved {
		move.Job = active.Job
	}
	if a.move = move; a.commit != nil {
		a.calling = inCommit
		if refused := a.commit(move); refused != nil {
			a.veto(refused)
		}
	}
}

func (a *attempt[S, E, D, P]) publish() {
	a.after = a.move.After
	a.outcome.To, a.outcome.Epoch = a.move.To, a.move.Epoch
}

// veto refuses an event that has come further than its guards, and takes back what
// was prepared.
func (a *attempt[S, E, D, P]) veto(err error) {
	reason := err.Error()
	if a.move != nil {
		a.run.unmove()
		a.move = nil
	}
	a.outcome.Disposition, a.outcome.Reason = Vetoed, reason
	a.err = &VetoError{Refusal: a.refusal(reason), Err: err}
}

// caught makes a panic a veto. looplab's machine may have been left inside a
// transition and is not used again.
func (a *attempt[S, E, D, P]) caught() {
	if value := recover(); value != nil {
		a.run.carriers[a.column.region.index] = nil
		a.veto(&PanicError{Callback: a.called(), Value: value, Stack: debug.Stack()})
	}
}

// called says in words which user code was called last.
func (a *attempt[S, E, D, P]) called() string {
	switch a.calling {
	case inNote:
		return "note"
	case inGuard:
		return "guard " + a.rule.transition.Guards[a.asked].Name
	case inUpdate:
		return "update for " + string(a.input.Event)
	case inTimers:
		return "timers of " + string(a.rule.to.Name)
	default:
		return "commit hook"
	}
}

// unknownEventError puts its words together when someone reads them.
type unknownEventError struct{ machine, event string }

func (e *unknownEventError) Error() string {
	return fmt.Sprintf("%s: %v %q", e.machine, ErrUnknownEvent, e.event)
}

func (e *unknownEventError) Unwrap() error { return ErrUnknownEvent }
