package verify

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

// ExploreAll searches a graph in several modes, one after the other, each on all
// processors, and returns their reports in the order of the modes. It goes on with the
// others when one has found a counterexample; the error joins those of all.
func ExploreAll(ctx context.Context, o Options, modes []Mode) ([]Report, error) {
	reports, errs := make([]Report, len(modes)), make([]error, len(modes))
	for i := range modes {
		o.Mode = modes[i]
		reports[i], errs[i] = Explore(ctx, o)
	}
	return reports, errors.Join(errs...)
}

// Explore searches a graph. It ends with ctx, with the first counterexample, or when
// everything within the bounds was seen. The error is that of ctx, or a
// [*fsm.DefinitionError] where o.Spec does not compile.
func Explore(ctx context.Context, o Options) (Report, error) {
	spec := transitions.Declaration()
	if o.Spec != nil {
		spec = *o.Spec
	}
	graph, err := fsm.Compile(spec)
	if err != nil {
		return Report{Mode: o.Mode}, err
	}
	return newSearch(graph, spec, o).run(ctx)
}

func newSearch(graph *transitions.Graph, spec transitions.Spec, o Options) *search {
	if o.Mode == "" {
		o.Mode = Interactive
	}
	s := &search{options: o, report: Report{Mode: o.Mode},
		known: newKnown(), seen: seen{classes: map[string]uint64{}, probed: map[pair]bool{}}}
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		s.explorers = append(s.explorers, newExplorer(graph, spec, o, s))
	}
	return s
}

// search is one breadth-first search: every world is met first on a shortest way. The
// explorers expand a batch of worlds side by side and only read what the search knows;
// what they found is then noted by one, in the order of the worlds and actions, so that
// the search goes the same way however many there are.
type search struct {
	options   Options
	explorers []*explorer
	// known are the numbers of the worlds that were met.
	known *known
	seen  seen
	nodes []node
	// edges are those of all expanded nodes, in the order of the nodes.
	edges []edge
	// frontier are the worlds that were not expanded yet, from the node of this number on.
	frontier []*world
	expanded int
	report   Report
	// survey is nil mostly.
	survey *survey
}

// node is one world of the search and how it was first reached.
type node struct {
	// parent is -1 for a root.
	parent int32
	// edges is the number of the first of its edges: the worlds that good actions lead to.
	edges uint32
	// action is its place among the parent's, or the root's among the roots.
	action int16
	// goal: a call is served. needs: the way there must not need a user.
	goal, needs bool
}

type edge struct {
	to     int32
	person bool
}

// batch is how many worlds are expanded between two looks at the context.
const batch = 512

func (s *search) run(ctx context.Context) (Report, error) {
	began := time.Now()
	x := s.explorers[0]
	for i, r := range x.roots() {
		s.visit(&successor{to: -1, key: bytes.Clone(x.keyer.key(r.world)), world: r.world, action: int16(i)}, -1)
	}
	var err error
	for s.report.Counterexample == nil && len(s.frontier) > 0 {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			break
		}
		if s.options.Worlds > 0 && len(s.nodes) > s.options.Worlds {
			break
		}
		s.expand(s.frontier[:min(batch, len(s.frontier))])
		if s.options.Progress != nil {
			s.options.Progress(s.options.Mode, len(s.nodes))
		}
	}
	s.report.Complete = len(s.frontier) == 0
	if s.report.Counterexample == nil {
		s.checkWays()
	}
	for _, x := range s.explorers {
		s.report.Fired += x.fired
		s.report.Refused += x.refused
	}
	s.report.Worlds, s.report.Seconds = len(s.nodes), time.Since(began).Seconds()
	return s.report, err
}

// expand takes every action in some worlds, on all processors, and notes what they
// lead to in the order of the worlds and actions.
func (s *search) expand(worlds []*world) {
	found := make([]expansion, len(worlds))
	var all sync.WaitGroup
	var taken atomic.Int32
	for _, x := range s.explorers {
		all.Go(func() {
			for i := taken.Add(1) - 1; int(i) < len(worlds); i = taken.Add(1) - 1 {
				found[i] = x.expand(worlds[i], int32(s.expanded)+i)
			}
		})
	}
	all.Wait()
	first := s.expanded
	s.expanded += len(worlds)
	s.frontier = s.frontier[len(worlds):]
	defer clear(worlds) // their keys are enough from then on
	for i := range found {
		at := int32(first + i)
		if s.survey != nil {
			s.survey.note(s, at, worlds[i], found[i].next)
		}
		s.nodes[at].edges = uint32(len(s.edges))
		s.seen.add(&found[i])
		s.report.Steps += found[i].steps
		for j := range found[i].next {
			next := &found[i].next[j]
			to := s.visit(next, at)
			if s.report.Counterexample != nil {
				return
			}
			if next.good && to != at {
				s.edges = append(s.edges, edge{to, next.person})
			}
		}
	}
}

// visit returns the number of a world, and notes it when it is new.
func (s *search) visit(next *successor, parent int32) int32 {
	if next.to >= 0 {
		return next.to
	}
	at := s.known.find(next.key)
	if at < 0 || next.violation != nil {
		if at = int32(len(s.nodes)); next.violation == nil {
			s.known.add(next.key)
		}
		s.nodes = append(s.nodes, node{parent: parent, action: next.action,
			goal: next.world.serves() || s.options.Mode == Unusable, needs: next.world.holdsWorkingCredential()})
		s.frontier = append(s.frontier, next.world)
		if s.survey != nil {
			s.survey.touched = append(s.survey.touched, next.touched)
		}
	}
	if next.violation != nil {
		s.report.Counterexample = next.violation
		next.violation.Trace = s.trace(at)
	}
	return at
}
