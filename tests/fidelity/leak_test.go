package fidelity_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this program the child process of one of the upstreams, too.
func TestMain(m *testing.M) {
	if os.Getenv("FIDELITY_CHILD") != "" {
		serveStdio(os.Stdin, os.Stdout)
		return
	}
	goleak.VerifyTestMain(m)
}
