package verify

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// longestWait bounds how long a state may last that waits or works: its timer strikes no
// later than this after its entry. The longest is that for a turn. A token in use lasts for
// as long as it does, and a pause for as long as Retry-After says; the runtime bounds that.
const longestWait = 15 * time.Minute

// checkBounds judges whether each state that waits or works has a timer that is due in time.
func (x *explorer) checkBounds(w *world) {
	for _, r := range w.machine.Regions {
		switch {
		case !lasts(r):
		case len(r.Timers) == 0:
			x.violated(waitsBounded, "%s has no deadline", r.State)
		case r.State != states.Fresh && r.Timers[0].At.Sub(r.Since) > longestWait:
			x.violated(waitsBounded, "%s lasts for %v", r.State, r.Timers[0].At.Sub(r.Since))
		}
	}
}

// lasts reports whether a state waits or works.
func lasts(r fsm.Active[states.State, transitions.Event]) bool {
	return r.Kind == fsm.Working || r.Kind == fsm.Waiting
}

// probeTimers has each timer of the states that wait or work strike, also where the model
// has something else happen before: one at least leads out of the state.
func (x *explorer) probeTimers(w *world) {
	for _, r := range w.machine.Regions {
		if !lasts(r) || len(r.Timers) == 0 {
			continue
		}
		left := false
		for _, timer := range r.Timers {
			after, _ := x.try(w, transitions.Input{Event: timer.Event, Epoch: r.Epoch, Actor: fsm.Clock})
			left = left || after.Region(r.Region).Epoch != r.Epoch
		}
		if !left {
			x.violated(waitsBounded, "no timer leads out of %s", r.State)
		}
	}
}
