// Package transitions holds the events, the guards and the one definition of an
// upstream's state machine: the connection region, the credential region, and
// the signals between them.
//
// It promises that everything that may happen to an upstream stands in two charts,
// state by state (connection.go; credential.go, renewing.go, loggingin.go, grants.go
// and halted.go), that guards and updates are pure, and that nothing else in the
// program decides what is legal. What would be a list of states elsewhere is a tag
// here. Jobs are named here and performed by package upstream; the engine, the
// checker, the diagrams, the docs and the inspectors read the same [Definition].
package transitions
