package engine

import "errors"

// The turnstile: a coin unlocks it if it is worth enough, a push locks it again.
const (
	locked   = "Locked"
	unlocked = "Unlocked"

	coin = "Coin"
	push = "Push"
)

// price is the least that a coin must be worth.
const price = 2

var errTooLittle = errors.New("the coin is worth too little")

// count is the turnstile's data.
type count struct{ coins, passages int }

// Subject is one way to run a turnstile.
type Subject struct {
	Name string
	// Does says in words what a transition does.
	Does string
	// start makes a turnstile that is locked.
	start func() turnstile
}

// turnstile is one instance. Each function does the same n times, so that calling
// it costs nothing that counts.
type turnstile struct {
	// pass makes n transitions, coin and push in turn, beginning with a coin.
	pass func(n int)
	// illegal pushes n times while it is locked, guarded gives n coins that are
	// worth too little. They return the last refusal.
	illegal, guarded func(n int) error
	// read reads the state n times and returns the last.
	read func(n int) string
	// counted is the data.
	counted func() count
}

// Subjects are what is compared. The first is the floor.
func Subjects() []Subject {
	return []Subject{
		{"switch", "a switch under a mutex", byHand},
		{"looplab", "looplab/fsm without callbacks", looplabBare},
		{"looplab, same callbacks", "looplab/fsm with guard, snapshot and commit hook", looplabSame},
		{"fsm", "guard, snapshot and commit hook", engine},
		{"looplab, observed", "the same callbacks, a move and a journal entry for observers", looplabObserved},
		{"fsm, observed", "a move and a journal entry for observers too", engineObserved},
		{"stateless", "qmuntal/stateless with guard and entry actions", stateless},
	}
}
