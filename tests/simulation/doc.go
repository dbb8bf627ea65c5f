// Package simulation runs the whole proxy — downstream face, upstreams, OAuth,
// store — in front of the test authorization server, in time, on a network and on
// a disk that are made here, and breaks them as a seed says.
//
// # What is real and what is made
//
// The code under test is what runs in production, down to net/http's client and
// server and to bbolt on a file. Time is that of testing/synctest: a day passes in
// less than a second. Connections are queues in memory that lose, delay, repeat and
// cut what is written to them. The disk is slow, fails, or ends the process at any
// stage of a write; the next process then opens the file as the crash left it, with
// any part of the pages that were on their way to it.
//
// # Determinism
//
// Everything that is drawn depends on the seed, on what it is drawn for and on the
// simulated time, not on what was drawn before. Whatever leaves the program (a
// request, a write, a user) takes a time of its own, so that no two of them meet.
// So the order of goroutines within one moment decides nothing, and a seed gives
// the same run: the same requests, events and writes at the same nanosecond. Not
// simulated is a wall clock that leaps against the monotonic one; the clocks of the
// servers leap instead, and the network stands still as it does for a machine that
// sleeps. Child processes are real ones, which know nothing of simulated time: only a program
// that is not there is drawn here, and what children do is for tests/e2e and upstream/child.
package simulation
