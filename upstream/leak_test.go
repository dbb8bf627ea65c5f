package upstream_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Nothing outlives its owner: a goroutine that is left when all tests have ended fails
// them. The test's own program is the child processes too.
func TestMain(m *testing.M) {
	if kind := os.Getenv(childKind); kind != "" {
		childProcess(kind)
		return
	}
	goleak.VerifyTestMain(m)
}
