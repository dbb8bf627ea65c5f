// Package engine compares what one transition costs, and one read of the state,
// in this project's fsm and in what else it could have been: looplab/fsm by
// itself, qmuntal/stateless, and a switch under a mutex written by hand, the
// floor. Each runs the same turnstile ([Subjects] says what each does), they take
// turns in short blocks, and the test of this package shows that they agree.
//
// # The same callbacks
//
// The engine is built on looplab/fsm, so the question is what it adds. "looplab,
// same callbacks" is looplab/fsm with the three callbacks that the engine needs,
// each doing what the engine promises its readers and its owner, and no more:
//
//   - before_event looks up the transition's guards and asks them;
//   - leave_state makes the snapshot after the move (a new immutable value with the
//     new data, the epoch, the time), and gives the move to the commit hook, which
//     may veto it;
//   - enter_state publishes the snapshot for readers that take no lock.
//
// It runs under a mutex, as looplab's callbacks may not run concurrently. What it
// leaves out is what the engine has beyond that: the check for stale epochs,
// reasons and typed errors for every refusal, panics and re-entrant events caught,
// signals to other regions and postponed events in the same step, waiters that
// miss no state, and one compiled table for all machines.
//
// "Observed" is the same with a function that is given each move and one that is
// given a journal entry for each event.
package engine
