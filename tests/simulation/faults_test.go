package simulation

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// Kinds of faults, as they are counted.
const (
	lost               = "response lost"
	delayed            = "response delayed"
	duplicated         = "response duplicated"
	repeated           = "request repeated"
	resetBeforeHeaders = "reset before the headers"
	resetInHeaders     = "reset in the headers"
	resetAtBody        = "reset at the body's start"
	resetInBody        = "reset in the body"
	resetAtEnd         = "reset before the end"
	status429          = "status 429"
	status5xx          = "status 5xx"
	garbage            = "garbage instead of JSON"
	unreadable         = "token issued in words that cannot be read"
	misspelled         = "token issued in another spelling"
	refusedOddly       = "token refused in words that are not known"

	diskSlow        = "slow fsync"
	diskFull        = "write refused"
	diskFailed      = "write failed in its transaction"
	diskLied        = "write kept and reported as failed"
	crashPlanned    = "crash before a write"
	crashWritten    = "crash before a commit"
	crashTorn       = "crash within a commit"
	crashCommitted  = "crash after a commit"
	crashElsewhere  = "crash between writes"
	clockAhead      = "servers' clock set ahead"
	clockBack       = "servers' clock set back"
	slept           = "sleep and wake"
	outage          = "server away"
	tokensRevoked   = "access tokens revoked"
	grantsRevoked   = "grants revoked"
	clientsLost     = "clients forgotten"
	sessionsLost    = "sessions forgotten"
	configReloaded  = "configuration changed"
	orderlyRestart  = "orderly restart"
	overtaken       = "response overtaken by a later one"
	browserVanished = "browser page abandoned"
	loginDeclined   = "login declined"
	tabDoubled      = "login response brought twice"
	partBroken      = "optional part broken"
	listsChanged    = "list changed"
	entryBroken     = "entry that cannot be used"
)

// draw is randomness for one purpose at one moment of one run.
func draw(seed uint64, at time.Time, purpose string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, purpose)
	return rand.New(rand.NewPCG(seed^uint64(at.UnixNano()), h.Sum64()))
}

// weather is how bad everything is while faults are injected.
type weather struct {
	// network, disk and crash are the probabilities of a fault for a response, a
	// write, and of a write's being the last one.
	network, disk, crash float64
}

func weatherOf(seed uint64) weather {
	r := draw(seed, time.Unix(0, 0), "weather")
	pick := func(of ...float64) float64 { return of[r.IntN(len(of))] }
	return weather{network: pick(0, .02, .08, .25), disk: pick(0, .01, .05, .2), crash: pick(0, .002, .01, .03)}
}

// tally counts faults.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[kind]++
}

var wounds = []string{lost, lost, delayed, delayed, duplicated, resetBeforeHeaders, resetInHeaders, resetAtBody, resetInBody, resetAtEnd}

// answers are the faults that come in place of the handler.
var answers = []string{status429, status5xx, status5xx, garbage}

// tokenAnswers are those that a token endpoint has in place of garbage, a page among them.
var tokenAnswers = []string{garbage, unreadable, misspelled, refusedOddly}
