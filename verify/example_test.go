package verify_test

import (
	"context"
	"fmt"

	"mcpproxy/verify"
)

// A search that is cut off says that it saw no more than that.
func ExampleExplore() {
	report, err := verify.Explore(context.Background(), verify.Options{Mode: verify.Interactive, Worlds: 1000})
	fmt.Println(report.Complete, report.Counterexample == nil, err)
	// Output: false true <nil>
}
