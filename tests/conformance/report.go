package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// Report is the table of docs/conformance.md: it holds outcomes only, so that it
// changes when one does.
func Report(results []Result) []byte {
	var b bytes.Buffer
	b.WriteString("# Conformance\n\nWhat the public MCP conformance suite says of the proxy: as a client of the suite's servers, and as " +
		"a server in front of a\nfixture that offers what the suite asks for. `make conformance` writes this file.\n\nExpected failures " +
		"stand, each with its reason, in [tests/conformance/baselines](../tests/conformance/baselines); the suite itself\nchecks " +
		"them.\n\nEvery client scenario that is scored by the requirement sets passes on its wire, and every extension scenario; every " +
		"server\nscenario that a proxy can meet passes.\n\n")
	for _, r := range results {
		counts := map[Outcome]int{}
		for _, outcome := range r.Scenarios {
			counts[outcome]++
		}
		fmt.Fprintf(&b, "## %s\n\n", capital(r.Name))
		for _, outcome := range []Outcome{Passed, Failed, Expected, Vacuous} {
			if counts[outcome] > 0 {
				fmt.Fprintf(&b, "- %s: %d\n", outcome, counts[outcome])
			}
		}
		b.WriteString("\n| scenario | outcome |\n|---|---|\n")
		for _, name := range slices.Sorted(maps.Keys(r.Scenarios)) {
			fmt.Fprintf(&b, "| %s | %s |\n", name, r.Scenarios[name])
		}
		b.WriteString("\n")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

func capital(text string) string { return string(bytes.ToUpper([]byte(text[:1]))) + text[1:] }

// Line sums the results up.
func Line(results []Result) string {
	var passed, failed, skipped int
	for _, r := range results {
		for _, outcome := range r.Scenarios {
			switch outcome {
			case Passed:
				passed++
			case Failed:
				failed++
			default:
				skipped++
			}
		}
	}
	return fmt.Sprintf("conformance: %d passed, %d failed, %d skipped", passed, failed, skipped)
}
