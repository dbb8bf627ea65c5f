package api

// Names of the server-sent events.
const (
	// EventTransition carries an [fsm.Entry]: an event that a machine was given,
	// accepted or refused.
	EventTransition = "transition"
	// EventGap carries a [Gap].
	EventGap = "gap"
)

// Gap says that transitions are missing before those that follow.
type Gap struct {
	Reason string `json:"reason"`
}
