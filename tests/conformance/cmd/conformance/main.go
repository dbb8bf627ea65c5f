// Command conformance runs the public conformance suite against the proxy and
// writes the table of outcomes. It ends with the line
//
//	conformance: N passed, N failed, N skipped
//
// and with 1 if a run is not as it should be. Skipped are expected failures and
// scenarios without any check.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"mcpproxy/tests/conformance"
)

func main() {
	directory := flag.String("dir", "tests/conformance", "directory of the suite's baselines and packages")
	report := flag.String("o", "docs/conformance.md", "file for the table")
	flag.Parse()
	results, err := conformance.Run(context.Background(), *directory, os.Stdout)
	if err == nil {
		err = os.WriteFile(*report, append(conformance.Report(results), '\n'), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
	failed := false
	for _, r := range results {
		if r.Err != nil {
			failed = true
			fmt.Printf("%s:\n%v\n", r.Name, r.Err)
		}
	}
	fmt.Println(conformance.Line(results))
	if failed {
		os.Exit(1)
	}
}
