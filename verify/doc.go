// Package verify searches for a way to break the promises of the declared graph:
// it explores both regions, as one product, together with a model of what is around
// them, through every order of arrival.
//
// What is explored is the production graph: the same definition, the same updates
// and guards, the same functions that classify what was stored, what a failed
// refresh means, what a 401 means and what a call can expect. What is modelled is
// the rest: the store with its compare-and-swap, an authorization server that rotates
// refresh tokens and detects their reuse, a resource server that may answer anything,
// a browser with tabs of logins that are over, a person who may do anything at any
// moment, a clock, the end of the process between any two writes and its next start,
// and several callers. Jobs are the sequences of reads, writes and requests that
// package upstream performs; each can be overtaken by anything at every step, and a
// write may hang until its state's deadline has struck.
//
// It promises that the search is complete within its bounds (see [Options]) and
// that the counterexample it prints is a shortest one. It does not explore the
// effects' own code; the simulation and the end-to-end tests do.
package verify
