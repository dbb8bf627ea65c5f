package mutants

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"mcpproxy/fsm"
	"mcpproxy/verify"
)

// verdict is what became of one mutant.
type verdict struct {
	mutant mutant
	// by is the invariant that broke, or "the compiler"; empty for a survivor.
	by string
	// tried says that a search came to the place of the change.
	tried bool
}

// hunter searches mutants, each way of searching for so many situations at most.
type hunter struct {
	worlds int
	ways   []way
}

// way is one way of searching, and where the search of the unchanged graph came by then.
type way struct {
	options verify.Options
	atlas   *verify.Atlas
}

// newHunter surveys the unchanged graph, each way for so many situations: in all modes,
// the small ones first, and once with refreshes that go on after their state has ended.
func newHunter(ctx context.Context, surveyed, worlds int) (*hunter, error) {
	h := &hunter{worlds: worlds}
	modes := verify.Modes()
	slices.Reverse(modes)
	for _, mode := range modes {
		h.ways = append(h.ways, way{options: verify.Options{Mode: mode, Stored: true}})
	}
	h.ways = append(h.ways, way{options: verify.Options{Mode: verify.Interactive, Jobs: 1, Stored: true}})
	spec := single()
	for i := range h.ways {
		o := h.ways[i].options
		o.Spec, o.Worlds = &spec, surveyed
		atlas, report, err := verify.Survey(ctx, o)
		if err != nil {
			return nil, err
		}
		if report.Failed() {
			return nil, fmt.Errorf("the graph itself breaks a promise, %s: %s", report.Counterexample.Invariant, report.Counterexample.Why)
		}
		h.ways[i].atlas = atlas
	}
	return h, nil
}

// beginnings are the situations in which a search for a mutant begins: from where
// something can come to the place of the change or, where nothing does, those in which
// the state can be asked what it would do.
func (w *way) beginnings(m *mutant) (from verify.Places, reaches bool) {
	if m.timer != "" {
		from = w.atlas.Arming(m.state, m.timer)
	} else {
		from = w.atlas.Before(m.state, m.event)
	}
	if len(from) > 0 {
		return from, true
	}
	return w.atlas.In(m.state), false
}

// hunt searches one mutant: in every way for a short while, and then for longer.
func (h *hunter) hunt(ctx context.Context, m mutant) (verdict, error) {
	v := verdict{mutant: m}
	spec := m.spec()
	if _, err := fsm.Compile(*spec); err != nil {
		v.by = "the compiler"
		return v, nil
	}
	for _, worlds := range []int{h.worlds / 20, h.worlds} {
		for i := range h.ways {
			o := h.ways[i].options
			o.Spec, o.ForgetEpoch, o.Worlds, o.Workers = spec, m.forget, worlds, 1
			if m.state != "" { // else it shows everywhere
				var reaches bool
				if o.From, reaches = h.ways[i].beginnings(&m); len(o.From) == 0 || !reaches && worlds == h.worlds {
					continue
				}
				v.tried = v.tried || reaches
			}
			report, err := verify.Explore(ctx, o)
			if err != nil {
				return v, err
			}
			if report.Failed() {
				v.by = report.Counterexample.Invariant
				return v, nil
			}
		}
	}
	if late := h.ways[len(h.ways)-1]; m.late {
		o := late.options
		o.Spec, o.Worlds, o.Workers = spec, 40*h.worlds, 1
		report, err := verify.Explore(ctx, o)
		if err == nil && report.Failed() {
			v.by = report.Counterexample.Invariant
		}
		return v, err
	}
	return v, nil
}

// huntAll searches all mutants on all processors and returns the verdicts in their order.
func (h *hunter) huntAll(ctx context.Context, mutants []mutant) ([]verdict, error) {
	verdicts, errs := make([]verdict, len(mutants)), make([]error, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				verdicts[i], errs[i] = h.hunt(ctx, mutants[i])
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	return verdicts, errors.Join(errs...)
}
