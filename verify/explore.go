package verify

import (
	"context"
	"errors"
	"hash/maphash"
	"runtime"
	"sync"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/transitions"
)

// ExploreAll searches a graph in several modes side by side, one processor
// each, and returns their reports in the order of the modes. It goes on with the others
// when one has found a counterexample; the error joins those of all.
func ExploreAll(ctx context.Context, o Options, modes []Mode) ([]Report, error) {
	reports, errs := make([]Report, len(modes)), make([]error, len(modes))
	todo := make(chan int, len(modes))
	for i := range modes {
		todo <- i
	}
	close(todo)
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(modes)) {
		all.Go(func() {
			for i := range todo {
				o := o
				o.Mode, o.Workers = modes[i], 1
				reports[i], errs[i] = Explore(ctx, o)
			}
		})
	}
	all.Wait()
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
	s := &search{
		keys: map[key]int32{}, seeds: seeds{maphash.MakeSeed(), maphash.MakeSeed()},
		report: Report{Mode: o.Mode, Covered: map[string]bool{}, Tried: map[string]bool{}}, options: o,
	}
	workers := o.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		s.explorers = append(s.explorers, newExplorer(graph, spec, o))
	}
	return s
}

// search is one breadth-first search: every world is met first on a shortest way.
type search struct {
	options   Options
	explorers []*explorer
	seeds     seeds
	keys      map[key]int32
	nodes     []node
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
	// action is its place among the parent's, or the root's among the roots.
	action int16
	// goal: a call is served. needs: the way there must not need a person.
	goal, needs bool
	// next are the worlds that good actions lead to.
	next []edge
}

type edge struct {
	to     int32
	person bool
}

// batch is how many worlds are expanded between two looks at the context.
const batch = 512

func (s *search) run(ctx context.Context) (Report, error) {
	began := time.Now()
	for i, r := range s.explorers[0].roots() {
		s.visit(&successor{world: r.world, key: s.explorers[0].keyer.key(r.world, s.seeds), action: int16(i)}, -1)
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
		add(s.report.Covered, x.covered)
		add(s.report.Tried, x.tried)
	}
	s.report.Worlds, s.report.Seconds = len(s.nodes), time.Since(began).Seconds()
	return s.report, err
}

// add adds cells to names.
func add(names map[string]bool, cells map[cell]bool) {
	for c := range cells {
		names[name(string(c.state), string(c.event))] = true
	}
}

// expand takes every action in some worlds, on all processors, and notes what they
// lead to in the order of the worlds and actions.
func (s *search) expand(worlds []*world) {
	successors := make([][]successor, len(worlds))
	var all sync.WaitGroup
	for n, x := range s.explorers {
		all.Go(func() {
			for i := n; i < len(worlds); i += len(s.explorers) {
				successors[i] = x.expand(worlds[i], s.seeds)
			}
		})
	}
	all.Wait()
	first := s.expanded
	s.expanded += len(worlds)
	s.frontier = s.frontier[len(worlds):]
	defer clear(worlds) // their keys are enough from then on
	for i := range successors {
		at := int32(first + i)
		if s.survey != nil {
			s.survey.note(s, at, worlds[i], successors[i])
		}
		for j := range successors[i] {
			next := &successors[i][j]
			to := s.visit(next, at)
			if s.report.Counterexample != nil {
				return
			}
			if next.good && to != at {
				s.nodes[at].next = append(s.nodes[at].next, edge{to, next.person})
			}
		}
	}
}

// visit returns the number of a world, and notes it when it is new.
func (s *search) visit(next *successor, parent int32) int32 {
	if parent >= 0 {
		s.report.Steps++
	}
	at, known := s.keys[next.key]
	if !known || next.violation != nil {
		at = int32(len(s.nodes))
		s.nodes = append(s.nodes, node{parent: parent, action: next.action, goal: next.world.serves(), needs: next.world.holdsWorkingCredential()})
		s.keys[next.key] = at
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
