package verify

import "mcpproxy/states"

// Most of what can happen to a world happens to the machine alone: an event comes from a
// call or a user, and is refused, joined or ignored, or notes what is known. That
// depends on nothing but what the machine is, as its key says it (see [keyer.class]), and
// the worlds of one class are many: those that differ in what is on disk, in the browser
// and on its way. So it is tried in the first world of each class, in the breadth-first
// order, and not again in the others where it made no difference there; where it does make
// one, it is taken in every world. The same holds for probes.
//
// No world and no way between two worlds is lost by that: what is left out leads from a
// world to itself. No broken promise is lost: what an event of that kind is judged by is
// the machine before and after. And none is found later, or on a longer way, as the first
// world of a class is judged, and what broke a promise is not remembered as quiet.
// TestReductionsChangeNoVerdict holds a search that uses this to one that does not.

// seen is what a search knows of classes. It is only read while explorers run.
type seen struct {
	// classes are, by their keys, which of their machine's own actions make no difference:
	// a bit each, in their order.
	classes map[string]uint64
	// probed are the pairs of states that were probed with every event.
	probed map[pair]bool
}

// pair is where both regions stand.
type pair struct{ connection, credential states.State }

func (w *world) pair() pair { return pair{w.state(states.Connection), w.state(states.Credential)} }

// add notes what the expansion of a world showed of its class.
func (s *seen) add(found *expansion) {
	if found.class != "" {
		s.classes[found.class] = found.quiet
		s.probed[found.pair] = true
	}
}

// isQuiet reports whether an action of the machine alone has made no difference: the machine
// is where it was and what it was, and what belongs to it are the same records.
func (x *explorer) isQuiet(before, after *world, class string) bool {
	if after.machine == before.machine {
		return true
	}
	was, is := &before.machine.Data, &after.machine.Data
	if was.Token != is.Token || was.Flow != is.Flow || was.Uncertain != is.Uncertain ||
		was.FlowID != is.FlowID || was.Generation != is.Generation {
		return false
	}
	for i := range after.machine.Regions {
		if after.machine.Regions[i].Epoch != before.machine.Regions[i].Epoch {
			return false
		}
	}
	return string(x.keyer.class(after)) == class
}
