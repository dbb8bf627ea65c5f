package fsm

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	looplab "github.com/looplab/fsm"
)

// maxChain bounds the events of one run-to-completion step. Signals that raise
// each other for ever are a mistake in the definition; the step is then undone.
const maxChain = 64

// Start returns a machine's first snapshot: every region in its initial state,
// as of now.
func (d *Definition[S, E, D, P]) Start(machine string, data D, now time.Time) (*Snapshot[S, E, D, P], []Move[S, E, D, P]) {
	s := &Snapshot[S, E, D, P]{Machine: machine, Data: data}
	var moves []Move[S, E, D, P]
	for _, r := range d.regions {
		s.lastEpoch++
		state := r.states[r.spec.Initial]
		s.Regions = append(s.Regions, Active[S, E]{Region: r.spec.Name, State: state.Name, Kind: state.Kind,
			Epoch: s.lastEpoch, Since: now, Job: state.Job.Name, Timers: armed(state, data, now)})
	}
	for i, active := range s.Regions {
		if active.Job != "" || len(active.Timers) > 0 {
			moves = append(moves, Move[S, E, D, P]{Region: active.Region, Disposition: Moved, From: active.State, To: active.State,
				Epoch: active.Epoch, Job: active.Job, Timers: s.Regions[i].Timers, After: s})
		}
	}
	return s, moves
}

// Step is the pure heart of the engine: what in makes of s. It changes nothing;
// it returns the snapshot after the event and everything the event raised, the
// moves in order, and a journal entry for each event, accepted or refused.
// commit, if not nil, is called before each move takes effect; its error undoes
// the whole step. On refusal the returned snapshot is s itself.
func (d *Definition[S, E, D, P]) Step(s *Snapshot[S, E, D, P], in Input[E, P], commit func(*Move[S, E, D, P]) error) (*Snapshot[S, E, D, P], Steps[S, E, D, P]) {
	var steps Steps[S, E, D, P]
	queue := []queued[E, P]{{input: in}}
	current := s
	for n := 0; n < len(queue); n++ {
		if n == maxChain {
			return s, steps.undone(s, queue[0].input, fmt.Errorf("one event raised more than %d others: the definition's signals form a loop", maxChain))
		}
		a := attempt[S, E, D, P]{definition: d, snapshot: current, input: queue[n].input, raisedBy: queue[n].raisedBy, commit: commit}
		a.run()
		if veto := (*VetoError)(nil); n > 0 && errors.As(a.err, &veto) {
			return s, steps.undone(s, queue[0].input, a.err)
		}
		steps.add(&a, n == 0)
		if a.after == nil {
			continue
		}
		current = a.after
		for _, signal := range a.signals {
			raised := a.input
			raised.Event, raised.Epoch = signal, 0
			queue = append(queue, queued[E, P]{raised, a.input.Event})
		}
		if a.move != nil && a.move.Disposition == Moved {
			var due []Input[E, P]
			current, due = d.release(current, a.region.index)
			a.move.After = current
			for _, postponed := range due {
				postponed.At = in.At
				queue = append(queue, queued[E, P]{postponed, a.input.Event})
			}
		}
		if a.move != nil {
			steps.Moves = append(steps.Moves, *a.move)
		}
	}
	return current, steps
}

type queued[E ~string, P any] struct {
	input    Input[E, P]
	raisedBy E
}

// release takes the postponed events of a region out of s.
func (d *Definition[S, E, D, P]) release(s *Snapshot[S, E, D, P], index int) (*Snapshot[S, E, D, P], []Input[E, P]) {
	if len(s.postponed) == 0 {
		return s, nil
	}
	var due, kept []Input[E, P]
	for _, in := range s.postponed {
		if d.home[in.Event] == index {
			due = append(due, in)
		} else {
			kept = append(kept, in)
		}
	}
	if len(due) == 0 {
		return s, nil
	}
	after := *s
	after.postponed = kept
	return &after, due
}

// attempt is one event on its way through one region.
type attempt[S, E ~string, D, P any] struct {
	definition *Definition[S, E, D, P]
	snapshot   *Snapshot[S, E, D, P]
	input      Input[E, P]
	raisedBy   E
	commit     func(*Move[S, E, D, P]) error

	region  *region[S, E, D, P]
	rule    rule[S, E, D, P]
	active  Active[S, E]
	outcome Outcome[S]
	guard   string
	err     error
	signals []E
	move    *Move[S, E, D, P]
	after   *Snapshot[S, E, D, P]
}

func (a *attempt[S, E, D, P]) run() {
	index, ok := a.definition.home[a.input.Event]
	if !ok {
		a.outcome.Disposition = Illegal
		a.err = fmt.Errorf("%s: %w %q", a.snapshot.Machine, ErrUnknownEvent, a.input.Event)
		return
	}
	a.region = a.definition.regions[index]
	a.active = a.snapshot.Regions[index]
	a.rule = a.region.rules[pair[S, E]{a.active.State, a.input.Event}]
	a.outcome = Outcome[S]{From: a.active.State, To: a.active.State, Epoch: a.active.Epoch, Reason: a.rule.reason}
	if a.stale() {
		return
	}
	switch a.outcome.Disposition = a.rule.disposition; a.rule.disposition {
	case Illegal:
		a.err = &IllegalTransitionError{a.refusal(a.rule.reason)}
	case Postponed:
		a.postpone()
	case Moved, Updated:
		a.transition()
	}
}

func (a *attempt[S, E, D, P]) stale() bool {
	reason := ""
	switch bound := a.region.events[a.input.Event].Bound; {
	case a.input.Epoch != 0 && a.input.Epoch != a.active.Epoch:
		reason = "the state that started it was left since"
	case bound && a.input.Epoch == 0 && a.raisedBy == "":
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
	return Refusal{Machine: a.snapshot.Machine, Region: a.region.spec.Name, State: string(a.active.State),
		Event: string(a.input.Event), Epoch: a.active.Epoch, Flow: a.input.Flow,
		Accepted: a.region.accepted[a.active.State], Reason: reason}
}

// postpone keeps the event for the next state, once: asking twice for the same is one wish.
func (a *attempt[S, E, D, P]) postpone() {
	for _, earlier := range a.snapshot.postponed {
		if earlier.Event == a.input.Event {
			return
		}
	}
	after := *a.snapshot
	after.postponed = append(slices.Clone(after.postponed), a.input)
	a.after = &after
}

// transition lets looplab/fsm carry out the move.
func (a *attempt[S, E, D, P]) transition() {
	c := a.region.pool.Get().(*carrier[S, E, D, P])
	c.attempt = a
	c.fsm.SetState(string(a.active.State))
	err := c.fsm.Event(context.Background(), string(a.input.Event))
	c.attempt = nil
	a.region.pool.Put(c)

	var internal looplab.NoTransitionError
	switch {
	case a.err != nil: // a guard or the commit hook refused
	case errors.As(err, &internal):
		a.prepare()
		if a.err == nil {
			a.publish()
		}
	case err != nil:
		a.veto(fmt.Errorf("the transition map refused what the table allows: %w", err))
	}
}

// before checks the guards: looplab's before_event.
func (c *carrier[S, E, D, P]) before(_ context.Context, e *looplab.Event) {
	a := c.attempt
	for i := range a.rule.transition.Guards {
		guard := &a.rule.transition.Guards[i]
		var refused error
		if crash := userCode("guard "+guard.Name, func() { refused = guard.Check(a.snapshot.Data, a.input) }); crash != nil {
			a.veto(crash)
		} else if refused != nil {
			a.guard = guard.Name
			a.outcome.Disposition, a.outcome.Reason = Guarded, refused.Error()
			a.err = &GuardError{Refusal: a.refusal(refused.Error()), Guard: guard.Name, Err: refused}
		}
		if a.err != nil {
			e.Cancel(a.err)
			return
		}
	}
}

// leave computes the move and asks the commit hook: looplab's leave_state.
func (c *carrier[S, E, D, P]) leave(_ context.Context, e *looplab.Event) {
	if c.attempt.prepare(); c.attempt.err != nil {
		e.Cancel(c.attempt.err)
	}
}

// enter makes the new entry: looplab's enter_state. It runs no user code.
func (c *carrier[S, E, D, P]) enter(context.Context, *looplab.Event) { c.attempt.publish() }

// prepare computes what the machine will be after the move and commits to it.
func (a *attempt[S, E, D, P]) prepare() {
	t := a.rule.transition
	after := *a.snapshot
	after.Sequence++
	active := a.active
	crash := userCode("update for "+string(t.Event), func() {
		if t.Update != nil {
			after.Data = t.Update(after.Data, a.input)
		}
		state := a.region.states[t.To]
		if a.rule.disposition == Moved {
			after.lastEpoch++
			active = Active[S, E]{Region: active.Region, State: t.To, Kind: state.Kind, Epoch: after.lastEpoch, Since: a.input.At, Job: state.Job.Name}
			a.signals = append(slices.Clone(t.Signals), state.Signals...)
		} else {
			a.signals = t.Signals
		}
		active.Timers = armed(state, after.Data, active.Since)
	})
	if crash != nil {
		a.veto(crash)
		return
	}
	after.Regions = slices.Clone(after.Regions)
	after.Regions[a.region.index] = active
	move := &Move[S, E, D, P]{Region: active.Region, Disposition: a.rule.disposition, From: a.active.State, To: active.State,
		Left: a.active.Epoch, Epoch: active.Epoch, Input: a.input, RaisedBy: a.raisedBy, Timers: active.Timers, After: &after}
	if a.rule.disposition == Moved {
		move.Job = active.Job
	}
	if a.commit != nil {
		var failed error
		if crash := userCode("commit hook", func() { failed = a.commit(move) }); crash != nil {
			failed = crash
		}
		if failed != nil {
			a.veto(failed)
			return
		}
	}
	a.move = move
}

func (a *attempt[S, E, D, P]) publish() {
	a.after = a.move.After
	a.outcome.To, a.outcome.Epoch = a.move.To, a.move.Epoch
}

func (a *attempt[S, E, D, P]) veto(err error) {
	a.outcome.Disposition, a.outcome.Reason = Vetoed, err.Error()
	a.err = &VetoError{Refusal: a.refusal(err.Error()), Err: err}
}

func armed[S, E ~string, D any](state *State[S, E, D], data D, entered time.Time) []ArmedTimer[E] {
	var timers []ArmedTimer[E]
	for _, timer := range state.Timers {
		if at := timer.At(data, entered); !at.IsZero() {
			timers = append(timers, ArmedTimer[E]{Event: timer.Event, At: at, Doc: timer.Doc})
		}
	}
	slices.SortStableFunc(timers, func(a, b ArmedTimer[E]) int { return a.At.Compare(b.At) })
	return timers
}

// userCode is the one door to guards, updates, timers and commit hooks, so that
// a panic is caught and a re-entrant Fire can be recognised by its stack.
//
//go:noinline
func userCode(callback string, f func()) (crash error) {
	defer func() {
		if value := recover(); value != nil {
			crash = &PanicError{Callback: callback, Value: value, Stack: debug.Stack()}
		}
	}()
	f()
	return nil
}
