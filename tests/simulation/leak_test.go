package simulation

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

// Nothing outlives its owner: a goroutine that is left when all tests have ended fails them.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // net/http tells of the responses that nobody asked for
	goleak.VerifyTestMain(m)
}
