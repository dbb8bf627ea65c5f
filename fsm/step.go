package fsm

import (
	"fmt"
	"slices"
	"time"
)

// maxChain bounds the events of one run-to-completion step. Signals that raise
// each other for ever are a mistake in the definition; the step is then undone.
const maxChain = 64

// Start returns a machine's first snapshot: every region in its initial state,
// as of now.
func (d *Definition[S, E, D, P]) Start(machine string, data D, now time.Time) (*Snapshot[S, E, D, P], []Move[S, E, D, P]) {
	empty := Snapshot[S, E, D, P]{Identity: &Identity{Machine: machine}, Data: data, Regions: make([]Active[S, E], len(d.regions))}
	s := empty.copy()
	var moves []Move[S, E, D, P]
	for i, r := range d.regions {
		state := r.states[r.spec.Initial]
		s.Regions[i] = Active[S, E]{Place: r.places[state.Name], Epoch: uint64(i) + 1, Since: now, Timers: armed(state, data, now)}
	}
	for i, active := range s.Regions {
		if active.Job != "" || len(active.Timers) > 0 {
			moves = append(moves, Move[S, E, D, P]{Region: active.Region, Disposition: Moved, From: active.State, To: active.State,
				Epoch: active.Epoch, Input: &Input[E, P]{}, Job: active.Job, Timers: s.Regions[i].Timers, After: s})
		}
	}
	return s, moves
}

// Step is the pure heart of the engine: what in makes of s. It changes nothing;
// it returns the snapshot after the event and everything the event raised, the
// moves in order, and a journal entry for each event, accepted or refused.
// commit, if not nil, is called before each move takes effect and must not keep
// the move; its error undoes the whole step. On refusal the returned snapshot is
// s itself.
func (d *Definition[S, E, D, P]) Step(s *Snapshot[S, E, D, P], in Input[E, P],
	commit func(*Move[S, E, D, P]) error) (*Snapshot[S, E, D, P], Steps[S, E, D, P]) {
	return d.take(s, &in, commit, false)
}

// Next is [Definition.Step] without the entries, for those who search a graph and keep no
// journal. It asks the table alone: that looplab's map says the same of every pair is proved
// by [Compile].
func (d *Definition[S, E, D, P]) Next(s *Snapshot[S, E, D, P], in Input[E, P]) (*Snapshot[S, E, D, P], Steps[S, E, D, P]) {
	return d.take(s, &in, nil, true)
}

func (d *Definition[S, E, D, P]) take(s *Snapshot[S, E, D, P], in *Input[E, P], commit func(*Move[S, E, D, P]) error,
	silent bool) (*Snapshot[S, E, D, P], Steps[S, E, D, P]) {
	r := d.runs.Get().(*run[S, E, D, P])
	r.silent = silent
	after := r.step(d, s, in, commit)
	steps := r.Steps
	if len(steps.Moves) > 0 {
		r.queue = nil // moves point into it
	}
	r.Steps = Steps[S, E, D, P]{} // the caller's from now on
	d.reuse(r)
	return after, steps
}

// run is what one step is carried out with: what it has come to so far, and what
// is still to be done. A machine uses it again for a later step, so that nothing
// is allocated for it.
type run[S, E ~string, D, P any] struct {
	Steps[S, E, D, P]
	silent bool // nobody wants the entries
	// queue has the event and everything that it raised, in order.
	queue   []queued[E, P]
	attempt attempt[S, E, D, P]
	// other is the outcome of an event that was raised.
	other Outcome[S]
	// carriers are the looplab machines that it has used so far, by region.
	carriers []*carrier[S, E, D, P]
	// next is the step after this one in the machine's outbox.
	next *run[S, E, D, P]
}

type queued[E ~string, P any] struct {
	input    Input[E, P]
	raisedBy E
}

// step carries out in and everything that it raises; see [Definition.Step].
func (r *run[S, E, D, P]) step(d *Definition[S, E, D, P], s *Snapshot[S, E, D, P], in *Input[E, P],
	commit func(*Move[S, E, D, P]) error) *Snapshot[S, E, D, P] {
	r.queue = longer(r.queue)
	r.queue[0].input = *in
	if r.carriers == nil {
		r.carriers = make([]*carrier[S, E, D, P], len(d.regions))
	}
	current := s
	for n := 0; n < len(r.queue); n++ {
		if n == maxChain {
			r.undo(d, s, fmt.Errorf("one event raised more than %d others: the definition's signals form a loop", maxChain))
			return s
		}
		a := &r.attempt
		if n > 0 {
			*a = attempt[S, E, D, P]{}
		}
		a.run, a.snapshot, a.input, a.raisedBy, a.commit = r, current, &r.queue[n].input, r.queue[n].raisedBy, commit
		if a.outcome = &r.Outcome; n > 0 {
			r.other = Outcome[S]{}
			a.outcome = &r.other
		}
		a.decide(d)
		if n > 0 && a.outcome.Disposition == Vetoed {
			r.undo(d, s, a.err)
			return s
		}
		if n == 0 {
			r.Err = a.err
		}
		if !r.silent {
			r.note(a)
		}
		if a.after != nil {
			current = a.after
		}
		if a.move != nil {
			current = r.raise(d, a)
		}
	}
	return current
}

// raise queues what the move of a raises, and the events that were postponed until
// it. It returns the snapshot without these.
func (r *run[S, E, D, P]) raise(d *Definition[S, E, D, P], a *attempt[S, E, D, P]) *Snapshot[S, E, D, P] {
	event := a.input.Event
	for _, signal := range a.rule.signals {
		raised := *a.input
		raised.Event, raised.Epoch = signal, 0
		r.queue = append(r.queue, queued[E, P]{raised, event})
	}
	if a.move.Disposition == Moved && a.move.After.postponed != nil {
		var due []Input[E, P]
		a.move.After, due = d.release(a.move.After, a.column.region.index)
		for _, postponed := range due {
			postponed.At = r.queue[0].input.At
			r.queue = append(r.queue, queued[E, P]{postponed, event})
		}
	}
	return a.move.After
}

// move adds a move to those of the step; unmove takes the last one back.
func (r *run[S, E, D, P]) move() *Move[S, E, D, P] {
	r.Moves = longer(r.Moves)
	return &r.Moves[len(r.Moves)-1]
}

// longer adds a zero element. What a run has room for is zero already.
func longer[T any](of []T) []T {
	if len(of) < cap(of) {
		return of[:len(of)+1]
	}
	var zero T
	return append(of, zero)
}

// emptied takes everything out and leaves room for it.
func emptied[T any](of []T) []T {
	if len(of) == 1 { // nearly always, and quicker than a loop
		var zero T
		of[0] = zero
	} else {
		clear(of)
	}
	return of[:0]
}

func (r *run[S, E, D, P]) unmove() {
	last := len(r.Moves) - 1
	r.Moves[last] = Move[S, E, D, P]{}
	r.Moves = r.Moves[:last]
}

// reuse makes r ready for another step. It keeps nothing of this one: events
// carry secrets.
func (d *Definition[S, E, D, P]) reuse(r *run[S, E, D, P]) {
	if r.carriers == nil {
		return // it was kept, and another has them
	}
	r.Moves, r.Entries, r.queue = emptied(r.Moves), emptied(r.Entries), emptied(r.queue)
	// Each by itself: a tuple of them would be copied from zeros on the stack.
	r.Outcome = Outcome[S]{}
	r.Err = nil
	r.attempt = attempt[S, E, D, P]{}
	d.runs.Put(r)
}

// keep makes r ready to wait in an outbox for as long as observers take: what is
// large is left to other steps meanwhile.
func (d *Definition[S, E, D, P]) keep(r *run[S, E, D, P]) {
	d.runs.Put(&run[S, E, D, P]{carriers: r.carriers})
	r.carriers, r.attempt = nil, attempt[S, E, D, P]{}
}

// release takes the postponed events of a region out of s, which has some.
func (d *Definition[S, E, D, P]) release(s *Snapshot[S, E, D, P], index int) (*Snapshot[S, E, D, P], []Input[E, P]) {
	var due, kept []Input[E, P]
	for _, in := range *s.postponed {
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
	after.postponed = nil
	if len(kept) > 0 {
		after.postponed = &kept
	}
	return &after, due
}

func armed[S, E ~string, D, P any](state *State[S, E, D, P], data D, entered time.Time) []ArmedTimer[E] {
	if len(state.Timers) == 0 {
		return nil
	}
	var timers []ArmedTimer[E]
	for _, timer := range state.Timers {
		if at := timer.At(data, entered); !at.IsZero() {
			timers = append(timers, ArmedTimer[E]{Event: timer.Event, At: at, Doc: timer.Doc})
		}
	}
	slices.SortStableFunc(timers, func(a, b ArmedTimer[E]) int { return a.At.Compare(b.At) })
	return timers
}
