package mutants

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"

	"mcpproxy/fsm"
	"mcpproxy/verify"
)

// verdict is what became of one mutant.
type verdict struct {
	mutant mutant
	// by is the invariant that broke, or "the compiler"; empty for a survivor.
	by string
	// tried says that a search asked the machine about the place of the change.
	tried bool
}

// hunter searches mutants, each mode for so many situations at most.
type hunter struct {
	worlds int
	// tried are the pairs that the search of the unchanged graph asks about.
	tried map[verify.Mode]map[string]bool
}

func newHunter(ctx context.Context, worlds int) (*hunter, error) {
	h := &hunter{worlds: worlds, tried: map[verify.Mode]map[string]bool{}}
	spec := single()
	reports, err := verify.ExploreAll(ctx, verify.Options{Spec: &spec, Worlds: worlds, Stored: true}, verify.Modes())
	for _, r := range reports {
		if r.Failed() {
			return nil, errors.New("the graph itself breaks a promise: " + r.Counterexample.Invariant + ": " + r.Counterexample.Why)
		}
		h.tried[r.Mode] = r.Tried
	}
	return h, err
}

// shows reports whether a search in a mode comes to the place of the change. Until it
// does, the mutant is explored exactly as the graph is.
func (h *hunter) shows(m *mutant, mode verify.Mode) bool {
	for pair := range h.tried[mode] {
		state, event, _ := strings.Cut(pair, " ")
		if (m.state == "" || state == string(m.state)) && (m.event == "" || event == string(m.event)) {
			return true
		}
	}
	return false
}

// hunt searches one mutant, the small modes first.
func (h *hunter) hunt(ctx context.Context, m mutant) (verdict, error) {
	v := verdict{mutant: m}
	modes := verify.Modes()
	for i := len(modes) - 1; i >= 0; i-- {
		if !h.shows(&m, modes[i]) {
			continue
		}
		v.tried = true
		report, err := verify.Explore(ctx, verify.Options{Mode: modes[i], Spec: m.spec(), ForgetEpoch: m.forget, Worlds: h.worlds, Workers: 1, Stored: true})
		var refused *fsm.DefinitionError
		switch {
		case errors.As(err, &refused):
			v.by = "the compiler"
			return v, nil
		case err != nil:
			return v, err
		case report.Failed():
			v.by = report.Counterexample.Invariant
			return v, nil
		}
	}
	if !v.tried {
		if _, err := fsm.Compile(*m.spec()); err != nil {
			v.by = "the compiler"
		}
	}
	return v, nil
}

// huntAll searches all mutants on all processors and returns the verdicts in their order.
func (h *hunter) huntAll(ctx context.Context, mutants []mutant, done func(verdict)) ([]verdict, error) {
	verdicts, errs := make([]verdict, len(mutants)), make([]error, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				if verdicts[i], errs[i] = h.hunt(ctx, mutants[i]); errs[i] == nil {
					done(verdicts[i])
				}
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
