package verify

import (
	"cmp"
	"slices"
	"strings"

	"mcpproxy/credential"
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
	cause transitions.Event
	// carry is what the job has obtained or made so far.
	carry carry
	// result is what it will report; nil until that is known. It is not changed in place.
	result *transitions.Input
}

// carry is what a job holds between two of its steps.
type carry struct {
	token   *credential.Token
	intent  *credential.Intent
	flow    *credential.Flow
	failure transitions.RefreshFailure
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
	listening step = "listen" // for a user or the transport; nothing to do
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

// carriesNothing reports whether an outcome has nothing with it that was read or
// obtained.
func carriesNothing(in *transitions.Input) bool {
	return in.Payload.Token == nil && in.Payload.Flow == nil && in.Payload.Intent == nil
}

// say gives the machine the outcome of a job. That is a step of its own only where
// something was read, written or said before that may be overtaken.
func (x *explorer) say(w *world, j *job) {
	in, over := j.outcome(), *j
	if token := w.machine.Data.Token; in.Event == transitions.Forbidden && token != nil && token.Generation > in.Payload.Generation {
		in.Event = transitions.Unauthorized // there is a newer token to try with
	}
	w.sweep(j)
	if err := x.fire(w, in); over.awaits() || err != nil && over.carry.flow != nil {
		w.forgetFlow(over.began.FlowID)
	}
}

// forgetFlow erases the record of a login that is over. That this may come late is
// not explored: until then the login can still be completed at the next start.
func (w *world) forgetFlow(id string) {
	if w.disk.flow != nil && w.disk.flow.ID == id && !w.machine.Data.HasFlow(id) {
		w.disk.flow = nil
	}
}

// awaits reports whether the job shows a page.
func (j *job) awaits() bool {
	return j.name == transitions.JobAwaitBrowser || j.name == transitions.JobAwaitDevice
}

// ends makes an outcome the one that will be reported.
func (j *job) ends(in transitions.Input) { j.result, j.step = &in, reporting }

// outcome is the result as the runner gives it to the machine.
func (j *job) outcome() transitions.Input {
	in := *j.result
	in.Epoch = j.epoch
	return in
}

// settle ends the late jobs that have only something to say left, and forgets the
// refresh tokens that nobody holds any more.
func (x *explorer) settle(w *world) {
	var late []transitions.Input
	w.jobs = slices.DeleteFunc(w.jobs, func(j job) bool {
		if w.live(&j) || j.step != reporting {
			return false
		}
		late = append(late, j.outcome())
		return true
	})
	for _, in := range late {
		_ = x.fire(w, in)
	}
	w.closeTabs()
	w.server.grants = slices.DeleteFunc(w.server.grants, func(g refreshToken) bool { return !w.holds(g.id) })
	slices.SortStableFunc(w.jobs, func(a, b job) int {
		return cmp.Or(strings.Compare(a.region, b.region), cmp.Compare(b.epoch, a.epoch))
	})
}

// holds reports whether anybody has the refresh token.
func (w *world) holds(id string) bool {
	is := func(t *credential.Token) bool { return t.HasRefresh() && t.Refresh.Reveal() == id }
	if is(w.machine.Data.Token) || is(w.disk.token) {
		return true
	}
	for i := range w.jobs {
		if j := &w.jobs[i]; is(j.carry.token) || is(j.began.Token) || j.result != nil && is(j.result.Payload.Token) {
			return true
		}
	}
	return false
}

// sweep takes ended jobs out.
func (w *world) sweep(ended *job) {
	kept := w.jobs[:0]
	for i := range w.jobs {
		if &w.jobs[i] != ended {
			kept = append(kept, w.jobs[i])
		}
	}
	w.jobs = kept
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
			late = append(late, j.outcome())
		case j.name == transitions.JobRefresh:
			return j.step == noting && refreshes > 1 && x.single[j.name] // it had not begun
		case j.step == saving && j.carry.token != nil && x.options.Jobs > 0:
			return false // the write has begun
		}
		if j.carry.flow != nil || j.awaits() || j.name == transitions.JobExchange {
			w.forgetFlow(j.began.FlowID)
		}
		return true
	})
	return late
}
