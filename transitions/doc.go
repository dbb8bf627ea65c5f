// Package transitions holds the events, the guards and the one definition of an
// upstream's state machine: the connection region, the credential region, and
// the signals between them.
//
// It promises that everything that may happen to an upstream stands in two
// tables ([ConnectionRegion], [CredentialRegion]), that guards and updates are
// pure, and that nothing else in the program decides what is legal. Jobs are
// named here and performed by package upstream; the engine, the diagrams, the
// docs and the inspectors read the same [Definition].
package transitions
