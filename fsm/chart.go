package fsm

// Chart declares one region state by state: a block says everything about a state, and
// a composite state round others says once what they share. [Chart.Lower] makes of it
// the flat [Region] that the engine, a checker and a replay work on.
type Chart[S, E ~string, D, P any] struct {
	Name    string
	Doc     string
	Initial S
	// Events are those that this region accepts; no other region may declare them.
	Events []Event[E]
	// User is asked first in every transition on an event that is by [Person].
	User   Guard[E, D, P]
	States []Node[S, E, D, P]
}

// Node is one block of a chart: a state or, where it has States, a composite state. A
// machine is never in a composite state itself. The tags, timers, signals, proposals,
// offers and rows of a composite state are those of each state in it.
type Node[S, E ~string, D, P any] struct {
	Name S
	Kind Kind
	// Doc is one sentence for users; tools and docs print it.
	Doc string
	// Tags say what is true of the state, for those who would else keep a list of states.
	Tags []Tag
	// Job, Timers and Signals: see [State]. A composite state has no job.
	Job     Job[E]
	Timers  []Timer[E, D]
	Signals []E
	// Next, Proposals and Offers: see [State]. A composite state has no Next.
	Next      string
	Proposals []Proposal[S, E, D]
	Offers    []Offer[S, E, D, P]
	Rows      []Row[S, E, D, P]
	States    []Node[S, E, D, P]
}

// Row says what events mean in the state, or in all states of the composite state, that
// it stands in. Without a disposition it is a transition to To or, where To is empty, an
// internal one: the state stays and its data may change. With one ([Joined], [Postponed]
// or [Ignored]) it has a Doc, the reason, and nothing else. [Illegal] takes a state out of
// what a composite state round it says.
type Row[S, E ~string, D, P any] struct {
	On          []E
	To          S
	Disposition Disposition
	Guards      []Guard[E, D, P]
	Update      func(data D, in *Input[E, P]) D
	Signals     []E
	Doc         string
	Main        bool
	// Instead says that the row stands for the one that a composite state round its own
	// has for the same events. Without it two such rows are a conflict.
	Instead bool
}

// Tag is an attribute of a state.
type Tag string

// Composite is a composite state of a flat region, for pictures: it groups states and
// has no other meaning once the chart is lowered.
type Composite[S ~string] struct {
	Name S
	Doc  string
	// Within is the composite state round it, if there is one.
	Within S
}
