package verify

import (
	"bytes"

	"mcpproxy/states"
	"mcpproxy/transitions"
)

// explorer takes actions. Each processor has its own.
type explorer struct {
	graph   *transitions.Graph
	options Options
	// search is what is known; it is only read.
	search *search
	// what the declaration says of events and jobs
	events  []transitions.Event
	home    map[transitions.Event]string
	bound   map[transitions.Event]bool
	crashes map[states.State]transitions.Event
	single  map[string]bool

	keyer          keyer
	fired, refused int
	// touched are the places that the action that is being taken has come to, in a survey.
	surveys bool
	touched []string
	// violation is its first.
	violation *Counterexample
}

func newExplorer(graph *transitions.Graph, spec transitions.Spec, o Options, s *search) *explorer {
	x := &explorer{graph: graph, options: o, search: s, keyer: keyer{plain: o.Plain},
		home: map[transitions.Event]string{}, bound: map[transitions.Event]bool{},
		crashes: map[states.State]transitions.Event{}, single: map[string]bool{}}
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
	// to is its number, where it was known before the batch, and -1 otherwise; only then
	// it has a key.
	to           int32
	key          []byte
	world        *world
	action       int16
	good, person bool
	violation    *Counterexample
	// touched are the places that the action came to; see [Survey].
	touched []string
}

// expansion is what the actions in one world lead to.
type expansion struct {
	next []successor
	// steps counts the actions that lead to known worlds and are not in next.
	steps int
	// class is that of a machine which was not known, quiet its actions that make no
	// difference, and pair where it stands.
	class string
	quiet uint64
	pair  pair
}

// expand takes every action in one world, which has the number at. One that would leave
// more late refreshes running than are explored is not taken.
func (x *explorer) expand(w *world, at int32) expansion {
	var found expansion
	class := string(x.keyer.class(w))
	quiet, known := x.search.seen.classes[class]
	if known = known && !x.keepsAll(); !known {
		found.class, found.pair = class, w.pair()
	}
	var probed *Counterexample
	if !known {
		probed = x.probe(w)
	}
	bit := uint64(1) // of the next of the machine's own actions
	for i, a := range x.actions(w) {
		mine := bit
		if a.own {
			bit <<= 1
		}
		if known && a.own && quiet&mine != 0 {
			found.steps++
			continue
		}
		next := x.take(w, a)
		switch {
		case next.late() > x.options.Jobs:
		case !x.keepsAll() && a.own && x.violation == nil && x.isQuiet(w, next, class):
			found.quiet |= mine
			found.steps++
		default:
			x.lead(&found, successor{world: next, action: int16(i), good: a.good, person: a.person,
				violation: x.violation, touched: x.touched}, at)
		}
	}
	if !known && probed == nil && string(x.keyer.class(w)) != class {
		probed = &Counterexample{Invariant: refusedChangesNothing, Why: "what is asked whether an event is refused changed the machine in place"}
	}
	if probed != nil {
		// What a probe showed is shown by the world itself.
		x.lead(&found, successor{world: w, action: probing, violation: probed}, at)
	}
	return found
}

// keepsAll reports whether nothing is left out of an expansion.
func (x *explorer) keepsAll() bool { return x.options.Plain || x.surveys }

// lead adds a world to what was found, unless it was known before and is of no further use.
func (x *explorer) lead(found *expansion, next successor, at int32) {
	key := x.keyer.key(next.world)
	to := x.search.known.find(key)
	found.steps++
	switch {
	case to < 0 || next.violation != nil:
		next.to, next.key = -1, bytes.Clone(key)
	case next.good && to != at || x.surveys:
		next.to, next.world = to, nil
	default:
		return
	}
	found.next = append(found.next, next)
}

func (x *explorer) take(w *world, a action) (next *world) {
	next = w.clone()
	x.violation, x.touched = nil, nil
	defer func() {
		// A job that meets what cannot be, a refresh without a token say.
		if value := recover(); value != nil {
			x.violated(truthful, "%s: %v", a.label(), value)
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
