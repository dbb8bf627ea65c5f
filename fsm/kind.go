package fsm

// Kind says what a state costs and who can move the machine on from it.
type Kind string

// The kinds of state.
const (
	// Parked states run nothing and send nothing; only a user, a demand or a
	// change of configuration moves them.
	Parked Kind = "parked"
	// Waiting states run no job of their own and end by a timer or by another region.
	Waiting Kind = "waiting"
	// Working states run a job and have a deadline.
	Working Kind = "working"
	// Serving states are those for which the machine exists.
	Serving Kind = "serving"
	// Final states are never left.
	Final Kind = "final"
)

// Actor says who is behind an event.
type Actor string

// The actors.
const (
	// Person is someone who asked for it just now.
	Person Actor = "person"
	// Automatic is the program itself: a call, a job's outcome, a reaction of another region.
	Automatic Actor = "machine"
	// Clock is a timer.
	Clock Actor = "timer"
	// Process is another process, or the start or end of this one.
	Process Actor = "process"
)

// Disposition is what became of an event.
type Disposition string

// The dispositions. Moved, Updated and Joined are acceptance; Postponed is
// acceptance for later; Ignored changes nothing and is no error; the others are
// refusals and come with an error.
const (
	// Moved means that the region left one state and entered another.
	Moved Disposition = "moved"
	// Updated means that the data changed and the state goes on (an internal transition).
	Updated Disposition = "updated"
	// Joined means that what was asked for is already under way; wait for its outcome.
	Joined Disposition = "joined"
	// Postponed means that the event is fired again when the state is left.
	Postponed Disposition = "postponed"
	// Ignored means that the event has no meaning in the state, with a declared reason.
	Ignored Disposition = "ignored"
	// Illegal means that the graph has no such transition.
	Illegal Disposition = "illegal"
	// Stale means that the state which started this was left since.
	Stale Disposition = "stale"
	// Guarded means that a guard refused.
	Guarded Disposition = "guarded"
	// Vetoed means that the commit hook failed or a callback panicked.
	Vetoed Disposition = "vetoed"
)

// Refused reports whether d is a refusal.
func (d Disposition) Refused() bool {
	switch d {
	case Illegal, Stale, Guarded, Vetoed:
		return true
	}
	return false
}
