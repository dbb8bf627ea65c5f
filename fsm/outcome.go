package fsm

// Outcome is what became of a fired event.
type Outcome[S ~string] struct {
	Disposition Disposition
	// From and To are equal unless the disposition is Moved.
	From, To S
	// Epoch of the region after the event.
	Epoch uint64
	// Reason is the declared reason of a joined, postponed or ignored event.
	Reason string
}

// Move is one accepted transition with all that it asks for: what to stop, what
// to start. A move with the disposition Updated stops and starts nothing but
// its timers.
type Move[S, E ~string, D, P any] struct {
	Region      string
	Disposition Disposition
	From, To    S
	// Left is the epoch of the state that was left; its job and timers are to be
	// stopped. Equal to Epoch for Updated.
	Left uint64
	// Epoch is the entry that was made; the job and the timers carry it.
	Epoch uint64
	// Input is the event, and not to be changed.
	Input *Input[E, P]
	// RaisedBy is the event whose signal this move answers, if it is one.
	RaisedBy E
	// Job to start, or empty.
	Job string
	// Timers to arm in place of all earlier ones of the region.
	Timers []ArmedTimer[E]
	// After is the machine as this move left it.
	After *Snapshot[S, E, D, P]
}
