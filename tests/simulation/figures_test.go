package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// figures are what many runs came to.
type figures struct {
	seeds, lives, violations int
	simulated                time.Duration
	faults, calls, taken     map[string]int
}

func (f *figures) add(r result) {
	if f.faults == nil {
		f.faults, f.calls, f.taken = map[string]int{}, map[string]int{}, map[string]int{}
	}
	f.seeds++
	f.lives += r.lives
	f.violations += len(r.violations)
	f.simulated += r.simulated
	for into, from := range map[*map[string]int]map[string]int{&f.faults: r.faults, &f.calls: r.calls, &f.taken: r.taken} {
		for key, n := range from {
			(*into)[key] += n
		}
	}
}

// text is the figures for users.
func (f *figures) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seeds %d, simulated %.1f weeks, processes %d, violations %d\n", f.seeds, f.simulated.Hours()/24/7, f.lives, f.violations)
	table := func(title string, of map[string]int) {
		total := 0
		for _, n := range of {
			total += n
		}
		fmt.Fprintf(&b, "%s: %d\n", title, total)
		for _, key := range slices.Sorted(maps.Keys(of)) {
			fmt.Fprintf(&b, "  %-40s %d\n", key, of[key])
		}
	}
	table("faults", f.faults)
	table("calls", f.calls)
	covered, declared, missing := f.coverage()
	fmt.Fprintf(&b, "transitions taken: %d of %d declared\n", covered, declared)
	if len(missing) > 0 {
		fmt.Fprintf(&b, "not taken: %s\n", strings.Join(missing, ", "))
	}
	return b.String()
}

// coverage compares what was taken with what is declared.
func (f *figures) coverage() (covered, declared int, missing []string) {
	for _, region := range graph().Graph().Regions {
		for _, edge := range region.Edges {
			declared++
			if key := region.Name + " " + edge.From + " " + edge.Event; f.taken[key] > 0 {
				covered++
			} else {
				missing = append(missing, key)
			}
		}
	}
	return covered, declared, missing
}
