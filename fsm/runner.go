package fsm

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Effect performs a job. It lasts as long as its state: ctx is cancelled when
// the state is left. The event that it returns is fired with the epoch of the
// order; an input without an event means that there is nothing to say (the
// state was left, or the job merely watches).
type Effect[S, E ~string, D, P any] func(ctx context.Context, order Order[S, E, D, P]) Input[E, P]

// Order is a job to do, handed out by the machine.
type Order[S, E ~string, D, P any] struct {
	Job   string
	State S
	Epoch uint64
	// Snapshot is the machine as of the entry.
	Snapshot *Snapshot[S, E, D, P]
	// Cause is the event that led here.
	Cause Input[E, P]
	// Fire reports something while the job goes on, with the order's epoch.
	Fire func(Input[E, P]) (Outcome[S], error)
}

// Crash builds the payload for the event that is fired when a job panics.
type Crash[P any] func(err error) P

// Runner performs the jobs and timers of one machine: one goroutine for each
// running job, one runtime timer for each armed timer, nothing while there is
// neither. Close ends and awaits them.
type Runner[S, E ~string, D, P any] struct {
	machine *Machine[S, E, D, P]
	effects map[string]Effect[S, E, D, P]
	crash   Crash[P]

	work   sync.WaitGroup
	mu     sync.Mutex
	ends   context.CancelFunc
	root   func() (context.Context, context.CancelFunc)
	closed bool // Close was called: nothing is started any more
	active map[string]*activity[E]
	// single has, for each [Job] that is Single, the end of its last run.
	single map[string]chan struct{}
}

// activity is what runs for one region.
type activity[E ~string] struct {
	epoch uint64
	// cancel ends the running job; nil where the state has none.
	cancel context.CancelFunc
	armed  []ArmedTimer[E]
	timers []*time.Timer
}

// NewRunner returns a machine in its initial states together with the runner
// that performs its jobs. Every job of the definition must have an effect.
// ctx bounds all jobs; its values reach them.
func NewRunner[S, E ~string, D, P any](ctx context.Context, d *Definition[S, E, D, P], name string, data D,
	effects map[string]Effect[S, E, D, P], crash Crash[P], o Options[S, E, D, P]) (*Runner[S, E, D, P], error) {
	for _, job := range d.Jobs() {
		if effects[job] == nil {
			return nil, fmt.Errorf("definition %s: job %q has no effect", d.Name(), job)
		}
	}
	bound, cancel := context.WithCancel(ctx)
	r := &Runner[S, E, D, P]{
		effects: effects,
		crash:   crash,
		ends:    cancel,
		active:  map[string]*activity[E]{},
		single:  map[string]chan struct{}{},
		root:    func() (context.Context, context.CancelFunc) { return context.WithCancel(bound) },
	}
	also := o.Perform
	o.Perform = func(move *Move[S, E, D, P]) {
		r.perform(move)
		if also != nil {
			also(move)
		}
	}
	r.machine = &Machine[S, E, D, P]{definition: d, options: o}
	r.machine.start(name, data, time.Now())
	return r, nil
}

// Machine returns the machine.
func (r *Runner[S, E, D, P]) Machine() *Machine[S, E, D, P] { return r.machine }

// Rearm computes every armed timer's remaining time again from the wall clock.
// Call it when the clock was set or the machine woke from sleep.
func (r *Runner[S, E, D, P]) Rearm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.active {
		armed := a.armed
		r.disarm(a)
		r.arm(a, armed)
	}
}

// Close cancels every job, stops every timer and waits until all have ended.
// The machine goes on accepting events; they start nothing.
func (r *Runner[S, E, D, P]) Close() {
	r.mu.Lock()
	r.closed = true
	for _, a := range r.active {
		r.disarm(a)
	}
	r.ends()
	r.mu.Unlock()
	r.work.Wait()
}

func (r *Runner[S, E, D, P]) perform(move *Move[S, E, D, P]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	a := r.active[move.Region]
	if a == nil {
		a = &activity[E]{}
		r.active[move.Region] = a
	}
	a.epoch = move.Epoch
	r.disarm(a)
	if move.Disposition == Moved {
		if a.cancel != nil {
			a.cancel()
			a.cancel = nil
		}
		if move.Job != "" {
			r.start(a, move)
		}
	}
	r.arm(a, move.Timers)
	if a.cancel == nil && len(a.timers) == 0 {
		delete(r.active, move.Region)
	}
}

func (r *Runner[S, E, D, P]) start(a *activity[E], move *Move[S, E, D, P]) {
	ctx, cancel := r.root()
	a.cancel = cancel
	order := Order[S, E, D, P]{Job: move.Job, State: move.To, Epoch: move.Epoch, Snapshot: move.After, Cause: *move.Input}
	order.Fire = func(in Input[E, P]) (Outcome[S], error) { return r.report(order.Epoch, in) }
	job := r.machine.definition.jobOf(move.Region, move.To)
	begin, end := r.turn(job)
	r.work.Go(func() {
		defer end()
		defer cancel()
		if !begin(ctx) {
			return
		}
		if outcome := r.run(ctx, order, job.Crashed); outcome.Event != "" {
			_, _ = r.report(order.Epoch, outcome) // a refusal is in the journal
		}
	})
}

// turn makes a run of a Single job wait for the run before, and the next for it.
// begin reports whether there is still something to do then.
func (r *Runner[S, E, D, P]) turn(job Job[E]) (begin func(context.Context) bool, end func()) {
	if !job.Single {
		return func(context.Context) bool { return true }, func() {}
	}
	earlier, ended := r.single[job.Name], make(chan struct{})
	r.single[job.Name] = ended
	begin = func(ctx context.Context) bool {
		if earlier == nil {
			return true
		}
		<-earlier
		return ctx.Err() == nil
	}
	return begin, func() { close(ended) }
}

// run performs the job; a panic becomes the state's declared crash event.
func (r *Runner[S, E, D, P]) run(ctx context.Context, order Order[S, E, D, P], crashed E) (outcome Input[E, P]) {
	defer func() {
		if value := recover(); value != nil {
			err := &PanicError{Callback: "job " + order.Job, Value: value, Stack: debug.Stack()}
			outcome = Input[E, P]{Event: crashed, Payload: r.crash(err), Flow: order.Cause.Flow}
		}
	}()
	return r.effects[order.Job](ctx, order)
}

func (r *Runner[S, E, D, P]) report(epoch uint64, in Input[E, P]) (Outcome[S], error) {
	in.Epoch = epoch
	if in.Actor == "" {
		in.Actor = Automatic
	}
	if in.At.IsZero() {
		in.At = time.Now()
	}
	return r.machine.Fire(in)
}

func (r *Runner[S, E, D, P]) arm(a *activity[E], timers []ArmedTimer[E]) {
	if r.closed {
		return
	}
	a.armed = timers
	epoch := a.epoch
	for _, timer := range timers {
		event := timer.Event
		r.work.Add(1)
		// The wall clock decides: the monotonic one stands still while a laptop sleeps.
		a.timers = append(a.timers, time.AfterFunc(time.Until(timer.At.Round(0)), func() {
			defer r.work.Done()
			_, _ = r.report(epoch, Input[E, P]{Event: event, Actor: Clock}) // a refusal is in the journal
		}))
	}
}

func (r *Runner[S, E, D, P]) disarm(a *activity[E]) {
	for _, timer := range a.timers {
		if timer.Stop() {
			r.work.Done()
		}
	}
	a.timers, a.armed = nil, nil
}

func (d *Definition[S, E, D, P]) jobOf(region string, state S) Job[E] {
	for _, r := range d.regions {
		if r.spec.Name == region {
			return r.states[state].Job
		}
	}
	return Job[E]{}
}
