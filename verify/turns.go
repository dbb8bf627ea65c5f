package verify

import (
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// waits are the regions in which a turn is waited for. Where a mode does not explore
// one, the turn comes at once; in the others it comes then or at any time later.
var waits = map[string]disturbance{states.Connection: connectWait, states.Credential: refreshWait}

// giveTurns has the turns come that are not waited for.
func (x *explorer) giveTurns(w *world) {
	for _, region := range w.machine.Regions {
		if !x.options.explores(waits[region.Region]) {
			x.turn(w, region.Region)
		}
	}
}

// turnActions let the turns come that are waited for.
func (x *explorer) turnActions(w *world) []action {
	var all []action
	for _, r := range w.machine.Regions {
		if event := transitions.TurnOf(r.State); event != "" {
			all = append(all, action{who: "its turn comes: ", what: string(event), good: true, do: func(w *world) { x.turn(w, r.Region) }})
		}
	}
	return all
}

func (x *explorer) turn(w *world, region string) {
	if event := transitions.TurnOf(w.state(region)); event != "" {
		_ = x.fire(w, transitions.Input{Event: event, Epoch: w.machine.Region(region).Epoch})
	}
}
