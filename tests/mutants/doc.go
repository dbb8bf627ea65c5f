// Package mutants tests the checker: it breaks the declared graph in one place at a
// time and has package verify search for a counterexample. A mutant that survives is
// either a hole in the invariants or harmless; survivors.md says for each why it is
// harmless, and a test compares.
//
// Mutants are made from the declaration as data: a row, guard, signal, timer, update
// or property is taken away or changed. They are not made from source text, so the
// inside of guards and updates is not changed.
package mutants
