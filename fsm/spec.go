package fsm

import "time"

// Spec declares one kind of machine. S and E are the string types of its states
// and events, D is its data (a value, copied on change, never changed in place),
// P is what an event carries. It is plain data plus pure functions.
type Spec[S, E ~string, D, P any] struct {
	// Name of the kind of machine, for errors and diagrams.
	Name    string
	Regions []Region[S, E, D, P]
}

// Region declares one of the machine's orthogonal regions.
type Region[S, E ~string, D, P any] struct {
	Name    string
	Doc     string
	Initial S
	States  []State[S, E, D, P]
	// Composites group states for pictures.
	Composites []Composite[S]
	// Events are those that this region accepts; no other region may declare them.
	Events      []Event[E]
	Transitions []Transition[S, E, D, P]
	// Joins: what the event asks for is already under way in these states.
	Joins []Rule[S, E]
	// Postpones: the event is fired again when the state is left.
	Postpones []Rule[S, E]
	// Ignores: the event means nothing in these states, with the reason.
	Ignores []Rule[S, E]
}

// State declares a state: what it is for, what it costs, what runs while it lasts.
type State[S, E ~string, D, P any] struct {
	Name S
	Kind Kind
	// Doc is one sentence for users; tools and docs print it.
	Doc string
	// Job runs while the state lasts. Working states must have one.
	Job Job[E]
	// Timers are armed on entry. Working states must have at least one whose
	// event leaves the state: the deadline.
	Timers []Timer[E, D]
	// Signals are events of other regions, raised on every entry from another state.
	Signals []E
	// Tags say what is true of the state; see [Place.Is].
	Tags []Tag
	// Next is what comes of the state or what it waits for, in words, for those who show it.
	Next string
	// Proposals are what the machine asks of itself when the state is entered.
	Proposals []Proposal[S, E, D]
	// Offers are what a user can do while the state lasts.
	Offers []Offer[S, E, D, P]
	// Within is the composite state round it, if there is one.
	Within S
}

// Job names an effect and the event that is fired when it crashes.
type Job[E ~string] struct {
	Name string
	// Crashed is fired, with the error, when the job panics.
	Crashed E
	// Single: a run begins only when the one before has ended, also where the state
	// of that one was left long ago. It is for jobs that may not be abandoned.
	Single bool
}

// Timer fires Event at a time that is a pure function of the data and of the
// time at which the state was entered; the zero time means "not this time".
type Timer[E ~string, D any] struct {
	Event E
	// Doc says when, in words, for diagrams: "renewal time", "30 s".
	Doc string
	At  func(data D, entered time.Time) time.Time
	// After is how long after the entry it strikes if it does, where that depends on
	// nothing else: what a journal, which holds no data, is held to. 0 where it does.
	After time.Duration
}

// Event declares an event.
type Event[E ~string] struct {
	Name E
	Doc  string
	// By is who fires it, where only one may; see [Chart.User].
	By Actor
	// Bound events are outcomes of jobs and timers: they must carry the epoch
	// of the state that started them.
	Bound bool
	// Otherwise is why the event is illegal in every state that no row names.
	Otherwise string
	// Then says of an event that timers fire what it does, in words, for those who show a
	// timer; Limit, that it ends a wait instead of beginning what was planned.
	Then  string
	Limit bool
}

// Proposal is an event of the state's own region that the machine is to be offered by
// itself once the step that entered the state is done; it may refuse it like any other.
type Proposal[S, E ~string, D any] struct {
	Event E
	// Doc says when, in words, for diagrams.
	Doc string
	// When is a pure function of where the machine came from and of its data. Nil is always.
	When func(from *Place[S], data D) bool
}

// Offer is an event that a user may fire in a state, in words: for those who show a
// machine. It may be an event of another region. It decides nothing.
type Offer[S, E ~string, D, P any] struct {
	Event E
	// Doc is what the event does for the user: "logs in".
	Doc string
	// When is a pure function of the machine. Nil is always.
	When func(*Snapshot[S, E, D, P]) bool
	// Last puts it after those of all regions that are not last.
	Last bool
}

// Transition leads from any of From to To. To equal to From is an internal
// transition: the data may change, the state, its epoch and its job go on, and
// its timers are computed again.
type Transition[S, E ~string, D, P any] struct {
	From  []S
	Event E
	To    S
	// Guards may refuse; they never choose.
	Guards []Guard[E, D, P]
	// Update returns the new data. Nil keeps it. It must neither change the input nor
	// keep it.
	Update func(data D, in *Input[E, P]) D
	// Signals are events of other regions, raised by this transition before
	// those of the state it enters.
	Signals []E
	Doc     string
	// Main marks the way that most machines go, for diagrams.
	Main bool
}

// Rule gives one event a meaning other than a transition in some states.
type Rule[S, E ~string] struct {
	From   []S
	Event  E
	Reason string
}

// Guard is a named pure function that refuses a transition by returning an
// error, which says why to the user who will read it.
type Guard[E ~string, D, P any] struct {
	Name string
	Doc  string
	// Check must neither change the input nor keep it.
	Check func(data D, in *Input[E, P]) error
}

// Input is one event on its way into a machine.
type Input[E ~string, P any] struct {
	Event E
	Actor Actor
	// At is the wall-clock time of the event. The engine reads no clock.
	At time.Time
	// Epoch is the entry that started what this is the outcome of; 0 for events
	// that are nobody's outcome.
	Epoch uint64
	// Flow is the id of the flow that the event speaks of, if any. It is carried
	// into the journal and into errors.
	Flow    string
	Payload P
}

// Noter may be implemented by a payload to put a short remark, free of secrets,
// into the journal.
type Noter interface{ Note() string }
