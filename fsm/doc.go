// Package fsm is the state engine: it compiles a declared state graph and runs
// any number of machines on it. It is generic over a machine's states, events,
// data and event payload, and knows nothing of OAuth or MCP.
//
// # What it promises
//
//   - One declaration. A [Spec] names every state, event, guard, timer and job of
//     a kind of machine. [Compile] turns it into one immutable [Definition] that
//     all machines share, or reports every problem of it at once.
//   - Totality. Every (state, event) pair is a transition, joined, postponed,
//     ignored with a reason, or illegal with a reason.
//   - A refused event changes nothing: not the state, the data, the timers or the
//     running jobs. It returns a typed error and is seen by the journal.
//   - Epochs. Every entry to a state gets an epoch that no other entry of the
//     machine ever gets. The outcome of a job or timer carries the epoch of the
//     entry that started it; once that state was left, the outcome is stale.
//   - Jobs and timers are data. A move says what to stop and what to start; the
//     [Runner] (or a checker, or a test) does it.
//   - Readers take no lock: [Machine.Snapshot] is one atomic load. [Machine.Wait]
//     evaluates its condition on every state that the machine passes through,
//     however short it lasted.
//   - Nothing wedges it: not a panic in a guard, update, commit hook, observer or
//     job, not a cancelled context, not an event fired from inside a callback
//     (refused with [ErrReentrant]).
//
// # What it does not do
//
// It persists nothing, reads no clock (time comes with the event) and starts no
// goroutine, except that a Runner runs one goroutine for each running job. It
// never calls user code other than guards, updates, timers and the commit hook
// while it holds a machine's lock; these must be quick and do no I/O.
//
// # Regions
//
// A machine is a statechart with one or more orthogonal regions. Each event
// belongs to one region. Regions speak through signals: entering a state, or
// taking a transition, may raise an event of another region. An event and
// everything it raises is one run-to-completion step: readers see the machine
// before or after it, never in between.
//
// # looplab/fsm, and what is added
//
// Every transition is carried out by github.com/looplab/fsm: its transition map
// decides where an event leads, and its callback order (before, leave, enter)
// and its veto are the engine's skeleton. Compile proves that the table of
// refusals agrees with that map on every pair. Guards are asked first; what they
// let through is given to looplab, of which three callbacks are used:
// before_event holds the destination against the table's, leave_state computes
// the new data and the new entry with its epoch, timers and job, and calls the
// write-ahead commit hook, whose error vetoes the move, and enter_state makes
// what was computed the result.
//
// Used by itself looplab/fsm would not carry an authentication machine, so each
// of the following is avoided or added here, and has a test:
//
//   - A cancelled context leaves a looplab machine inside a transition for ever;
//     here the context it gets is never cancelled.
//   - Its enter callbacks run after its locks are released, so that under
//     concurrency the wrong one runs or one runs twice, and its before and leave
//     callbacks deadlock on re-entry; here one looplab machine is only ever used
//     by the goroutine that holds our lock.
//   - Its transition map is built for each instance (tens of KiB for a graph of
//     a hundred edges); here machines share a few instances for each region, and
//     one is set to the published state before an event, unless it is in it. That
//     is the only use of SetState.
//   - Async transitions cannot be cancelled, and metadata bypasses every rule:
//     neither is used.
//   - It validates nothing and knows no refusal but "inappropriate": validation
//     of the whole definition, totality with reasons, typed errors, epochs,
//     mandatory deadlines, jobs and timers as data, snapshots, waiting, postponed
//     events and the journal are added.
package fsm
