package verify

import (
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// explorer takes actions. Each processor has its own.
type explorer struct {
	graph   *transitions.Graph
	options Options
	// what the declaration says of events and jobs
	events  []transitions.Event
	home    map[transitions.Event]string
	bound   map[transitions.Event]bool
	crashes map[states.State]transitions.Event
	single  map[string]bool
	probed  map[pair]bool

	keyer          keyer
	surveys        bool
	fired, refused int
	covered, tried map[cell]bool
	// touched are the places that the action that is being taken has come to, in a survey.
	touched []string
	// violation is its first.
	violation *Counterexample
}

// pair is where both regions stand.
type pair struct{ connection, credential states.State }

// cell is one of the graph's table.
type cell struct {
	state states.State
	event transitions.Event
}

func newExplorer(graph *transitions.Graph, spec transitions.Spec, o Options) *explorer {
	x := &explorer{graph: graph, options: o, home: map[transitions.Event]string{}, bound: map[transitions.Event]bool{}, crashes: map[states.State]transitions.Event{},
		single: map[string]bool{}, probed: map[pair]bool{}, covered: map[cell]bool{}, tried: map[cell]bool{}}
	for _, r := range spec.Regions {
		for _, e := range r.Events {
			x.events = append(x.events, e.Name)
			x.home[e.Name], x.bound[e.Name] = r.Name, e.Bound
		}
		for _, s := range r.States {
			if s.Job.Name != "" {
				x.crashes[s.Name] = s.Job.Crashed
				x.single[s.Job.Name] = x.single[s.Job.Name] || s.Job.Single
			}
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
	// touched are the places that the action came to; see [Survey].
	touched []string
}

// expand takes every action in one world. One that would leave more late refreshes
// running than are explored is not taken.
func (x *explorer) expand(w *world, seeds seeds) []successor {
	actions := x.actions(w)
	probed := x.probe(w)
	all := make([]successor, 0, len(actions))
	for i, a := range actions {
		next := x.take(w, a)
		if next.late() > x.options.Jobs {
			continue
		}
		all = append(all, successor{world: next, key: x.keyer.key(next, seeds), action: int16(i), good: a.good, person: a.person, violation: x.violation, touched: x.touched})
	}
	if probed != nil {
		// What a probe showed is shown by the world itself.
		all = append(all, successor{world: w, key: x.keyer.key(w, seeds), action: probing, violation: probed})
	}
	return all
}

func (x *explorer) take(w *world, a action) (next *world) {
	next = w.clone()
	x.violation, x.touched = nil, nil
	defer func() {
		// A job that meets what cannot be, a refresh without a token say.
		if value := recover(); value != nil {
			x.violated(truthful, "%s: %v", a.label, value)
		}
	}()
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
