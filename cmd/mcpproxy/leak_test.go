package main

import (
	"testing"

	"go.uber.org/goleak"
)

// Nothing outlives its owner: a goroutine that is left when all tests have ended fails them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
