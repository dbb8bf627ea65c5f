package engine

import (
	"fmt"
	"io"
	"strings"

	"mcpproxy/tests/bench/rounds"
)

// Compare measures every subject and prints a table for each aspect: what it costs in
// its best round, in how many allocations, and the ratios to the floor and to each
// other, each the middle one of those of all rounds.
func Compare(o Options, out io.Writer) {
	subjects := Subjects()
	fmt.Fprintln(out, "| engine | what a transition does |\n|---|---|")
	for _, s := range subjects {
		fmt.Fprintf(out, "| %s | %s |\n", s.Name, s.Does)
	}
	for _, a := range aspects {
		costs := compare(o, a, subjects)
		fmt.Fprintf(out, "\n%s\n\n| %-23s | %9s | %7s | %7s |%s\n", a.name, "engine", "time", "allocs", "bytes", heads())
		fmt.Fprintf(out, "|%s\n", strings.Repeat("---|", 4+len(ratios)))
		for _, s := range subjects {
			own := costs[s.Name]
			if len(own) == 0 {
				continue
			}
			c := best(own)
			fmt.Fprintf(out, "| %-23s | %6.1f ns | %7.1f | %7.0f |", s.Name, c.Nanoseconds, c.Allocations, c.Bytes)
			for _, other := range ratios {
				if base := costs[other]; len(base) > 0 {
					fmt.Fprintf(out, " %*.2f |", len(other)+2, rounds.Ratio(times(own), times(base)))
				} else {
					fmt.Fprintf(out, " %*s |", len(other)+2, "")
				}
			}
			fmt.Fprintln(out)
		}
	}
	memory(out, subjects)
}

// ratios are those that the others are compared with.
var ratios = []string{"switch", "looplab", "looplab, same callbacks", "looplab, observed", "stateless"}

func heads() string {
	var b strings.Builder
	for _, other := range ratios {
		fmt.Fprintf(&b, " / %s |", other)
	}
	return b.String()
}

func memory(out io.Writer, subjects []Subject) {
	fmt.Fprintf(out, "\nheap of one instance more\n\n| %-23s | %9s | %s |\n|---|---|---|\n", "engine", "turnstile", "an upstream's graph")
	for _, s := range subjects {
		make, ok := instances[s.Name]
		if !ok {
			continue
		}
		fmt.Fprintf(out, "| %-23s | %7.0f B |", s.Name, idle(make.turnstile))
		if make.upstream != nil {
			fmt.Fprintf(out, " %17.0f B |", idle(make.upstream))
		} else {
			fmt.Fprintf(out, " %19s |", "")
		}
		fmt.Fprintln(out)
	}
}
