package verify

import (
	"mcpproxy/transitions"
)

// explorer takes actions. Each processor has its own.
type explorer struct {
	graph       *transitions.Graph
	options     Options
	home        map[transitions.Event]string
	forgetEpoch map[transitions.Event]bool

	keyer          keyer
	fired, refused int
	covered        map[string]bool
	// violation is the first of the action that is being taken.
	violation *Counterexample
}

func newExplorer(graph *transitions.Graph, o Options, forgetEpoch map[transitions.Event]bool) *explorer {
	x := &explorer{graph: graph, options: o, forgetEpoch: forgetEpoch, home: map[transitions.Event]string{}, covered: map[string]bool{}}
	for _, r := range graph.Graph().Regions {
		for _, e := range r.Events {
			x.home[transitions.Event(e.Name)] = r.Name
		}
	}
	return x
}

// successor is a world that an action led to.
type successor struct {
	world        *world
	key          key
	action       int16
	good, person bool
	violation    *Counterexample
}

// expand takes every action in one world. One that would leave more late refreshes
// running than are explored is not taken.
func (x *explorer) expand(w *world, seeds seeds) []successor {
	actions := x.actions(w)
	all := make([]successor, 0, len(actions))
	for i, a := range actions {
		next := x.take(w, a)
		if next.late() > x.options.Jobs {
			continue
		}
		all = append(all, successor{world: next, key: x.keyer.key(next, seeds), action: int16(i), good: a.good, person: a.person, violation: x.violation})
	}
	return all
}

func (x *explorer) take(w *world, a action) *world {
	next := w.clone()
	x.violation = nil
	a.do(next)
	x.settle(next)
	x.checkWorld(next)
	return next
}

// late counts the jobs whose state is over. What such a job would report is said
// at once, so that only a refresh that goes on is left to be counted.
func (w *world) late() int {
	n := 0
	for i := range w.jobs {
		if !w.live(&w.jobs[i]) {
			n++
		}
	}
	return n
}
