package fsm_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing outlives its owner, but for the goroutine that looplab/fsm, used raw, has
// deadlocked for good to show the trap.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("mcpproxy/fsm_test.TestTrapReentryDeadlocks.func2"))
}
