// Package verify searches for a way to break the promises of the declared graph:
// it explores both regions, as one product, together with a model of what is around
// them, through every order of arrival.
//
// What is explored is the production graph: the same definition, the same updates
// and guards, the same functions that classify what was stored, what a failed
// refresh means, what a 401 means and what a call can expect. What is modelled is
// the rest: the store with its compare-and-swap, an authorization server that rotates
// refresh tokens and detects their reuse, a resource server that may answer anything,
// a browser with tabs of logins that are over, a user who may do anything at any
// moment, a clock, the end of the process between any two writes and its next start,
// and several callers. Jobs are the sequences of reads, writes and requests that
// package upstream performs; each can be overtaken by anything at every step, and a
// write may hang until its state's deadline has struck.
//
// It promises that the search is complete within its bounds (see [Options]) and
// that the counterexample it prints is a shortest one. It does not explore the
// effects' own code; the simulation and the end-to-end tests do.
//
// # Reductions
//
// The search is breadth first. Explorers expand a batch of worlds side by side, one on
// each processor; what they found is noted by one, in the order of the worlds and actions,
// so that the search goes the same way on any number of processors. What it knows of a
// world that was expanded is its key: the whole world, packed, and no hash of it, so that
// no two worlds are taken for one by chance. Three things keep it small; that a token was
// taken, of the second, and the third can be turned off ([Options].Plain) for the tests
// that hold the reduced search to the full one:
//
//   - Symmetry. Names, generations, times and epochs are put into the key as they relate to
//     each other: worlds that differ in what a token or a flow is called are one.
//   - What is dead. What no guard, update, timer or job can ask for any more, whatever
//     happens, is not in the key: the attempts of a renewal once it is over, or its outcome is
//     decided and ends it; what a refresh began with once it was answered; the server's record
//     of the machine's token while the store is read; how often a revoked token was sent; and
//     whether a token was taken once it is not new (only a refusal of a new one asks; see
//     [states.Data.RefusalIsFinal]. What else hangs on it, the machine's pause between two
//     pages, is shorter than a tick, and within one the budget of the hour refuses already).
//   - What makes no difference. An event of a call or a user that leaves the machine as it
//     is, and what is probed, is tried once for each class of machines and not in each world.
//     It leads from a world to itself, and what it is judged by is the machine; so no world,
//     no way between two and no broken promise is lost (see seen.go).
//
// Partial orders are not used: nearly every promise speaks of both regions and the disk at
// once, so that few orders of arrival are the same for all of them.
package verify
