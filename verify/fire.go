package verify

import (
	"fmt"
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// job is one effect on its way. Its steps are those of package upstream.
type job struct {
	name   string
	region string
	epoch  uint64
	step   step
	// began is the data as of the entry, cause the event that led there.
	began *states.Data
	cause transitions.Input
	// carry is what the job has obtained or made so far; result what it will report.
	carry  transitions.Payload
	result transitions.Input
}

// step names what a job does next.
type step string

const (
	reading   step = "read"   // from the disk
	noting    step = "note"   // the intent to the disk
	asking    step = "ask"    // another server
	ending    step = "end"    // the intent, on the disk
	dropping  step = "drop"   // the refresh token, on the disk
	saving    step = "save"   // what was obtained, to the disk
	erasing   step = "erase"  // from the disk
	showing   step = "show"   // a page
	listening step = "listen" // for a person or the transport; nothing to do
	reporting step = "report" // the outcome, to the machine
)

// onDisk reports whether the step may hang with the disk.
func (s step) onDisk() bool {
	return s == reading || s == noting || s == ending || s == dropping || s == saving || s == erasing
}

// first is how each job begins.
var first = map[string]step{
	transitions.JobLoad: reading, transitions.JobRefresh: noting, transitions.JobDiscover: asking, transitions.JobRegister: asking,
	transitions.JobAwaitBrowser: showing, transitions.JobExchange: asking, transitions.JobAwaitDevice: showing,
	transitions.JobRequestToken: asking, transitions.JobLogOut: erasing, transitions.JobConnect: asking, transitions.JobWatch: listening,
}

// live reports whether the state that started the job lasts.
func (w *world) live(j *job) bool { return w.machine.Region(j.region).Epoch == j.epoch }

// fire gives the machine an event, as anybody in the process would, and does what
// the runtime does with the outcome: jobs are started and cancelled.
func (x *explorer) fire(w *world, in transitions.Input) error {
	if in.At.IsZero() {
		in.At = w.now()
	}
	if in.Actor == "" {
		in.Actor = fsm.Automatic
	}
	if x.forgetEpoch[in.Event] && in.Epoch != 0 {
		in.Epoch = w.machine.Region(x.home[in.Event]).Epoch
	}
	before := w.machine
	after, steps := x.graph.Step(before, in, nil)
	x.fired++
	w.machine = after
	x.checkStep(w, before, in, &steps)
	var late []transitions.Input
	for _, move := range steps.Moves {
		x.covered[string(move.From)+" "+string(move.Input.Event)] = true
		late = append(late, x.perform(w, move)...)
	}
	for _, in := range late {
		_ = x.fire(w, in)
	}
	for _, move := range steps.Moves {
		if proposes(move, w.machine.Data.Settings.Unattended) {
			x.propose(w)
		}
	}
	return steps.Err
}

// proposes is when the runtime offers the machine a login of its own.
func proposes(move transitions.Move, unattended bool) bool {
	return move.Region == states.Credential && move.Disposition == fsm.Moved && move.To == states.LoginRequired && (!move.From.LoginOpen() || unattended)
}

func (x *explorer) propose(w *world) {
	if w.machine.Data.Settings.Unattended {
		_ = x.fire(w, transitions.Input{Event: transitions.GrantDue})
	} else if w.machine.Data.Settings.AutomaticLogin {
		_ = x.fire(w, transitions.Input{Event: transitions.LoginProposed, Flow: w.id("flow")})
	}
}

func (x *explorer) perform(w *world, move transitions.Move) (late []transitions.Input) {
	if move.Disposition != fsm.Moved {
		return nil
	}
	if move.Input.Event == transitions.LoginProposed {
		w.begins = append(w.begins, w.clock)
		x.checkBegin(w)
	}
	late = x.cancel(w, move.Region)
	if move.Job != "" {
		w.jobs = append(w.jobs, job{name: move.Job, region: move.Region, epoch: move.Epoch, step: first[move.Job], began: &move.After.Data, cause: move.Input})
	}
	return late
}

// cancel ends the jobs of a region whose state was left. What they would have
// reported is said at once, to be refused. A refresh goes on, as its token may be on
// the wire, and so does a write that has begun; all others can do nothing any more:
// their requests are cancelled, and the store asks before it begins to write whether
// they are still wanted.
func (x *explorer) cancel(w *world, region string) (late []transitions.Input) {
	refreshes := w.refreshes()
	w.jobs = slices.DeleteFunc(w.jobs, func(j job) bool {
		switch {
		case j.region != region || w.live(&j):
			return false
		case j.step == reporting:
			j.result.Epoch = j.epoch
			late = append(late, j.result)
		case j.name == transitions.JobRefresh:
			return j.step == noting && refreshes > 1 // it had not begun
		case j.step == saving && j.carry.Token != nil && x.options.Jobs > 0:
			return false // the write has begun
		}
		if j.carry.Flow != nil || j.awaits() || j.name == transitions.JobExchange {
			w.forgetFlow(j.began.FlowID)
		}
		return true
	})
	return late
}

// id makes a name that nobody used before.
func (w *world) id(kind string) string {
	w.ids++
	return fmt.Sprintf("%s-%d", kind, w.ids)
}
