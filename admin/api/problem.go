package api

import "mcpproxy/fsm"

// Kinds of problem. They are stable.
const (
	// KindUnknown: there is no such upstream.
	KindUnknown = "unknown-upstream"
	// KindIllegal: the machine refused the event; Refusal says which one and why.
	KindIllegal = "illegal-transition"
	// KindNoLogin: the upstream has no login.
	KindNoLogin = "no-login"
	// KindRequest: the request is not one of this interface.
	KindRequest = "bad-request"
	// KindFailed: everything else; Detail says what.
	KindFailed = "failed"
)

// Problem is the body of every answer that says no (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is a paragraph for a user: what happened, where, and the next step.
	Detail string `json:"detail"`
	// Kind is one of the kinds.
	Kind string `json:"kind"`
	// Refusal is there for an event that the machine refused.
	Refusal *Refusal `json:"refusal,omitempty"`
}

// Refusal is what a machine says of an event that it refused; the machine is exactly
// as before.
type Refusal struct {
	Upstream    string          `json:"upstream"`
	Region      string          `json:"region"`
	State       string          `json:"state"`
	Event       string          `json:"event"`
	Epoch       uint64          `json:"epoch"`
	Disposition fsm.Disposition `json:"disposition"`
	Guard       string          `json:"guard,omitempty"`
	Flow        string          `json:"flow,omitempty"`
	Reason      string          `json:"reason"`
	// Accepted are the events that the state accepts now.
	Accepted []string `json:"accepted"`
}
