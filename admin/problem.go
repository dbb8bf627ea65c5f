package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"mcpproxy/fsm"
	"mcpproxy/upstream"
)

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
	// Detail is a paragraph for a person: what happened, where, and the next step.
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

// errRequest marks what is wrong with a request.
var errRequest = errors.New("the request is wrong")

func problemOf(err error) Problem {
	p := Problem{Status: http.StatusBadGateway, Kind: KindFailed, Detail: err.Error(), Refusal: refusalOf(err)}
	switch {
	case p.Refusal != nil:
		p.Status, p.Kind = http.StatusConflict, KindIllegal
	case errors.Is(err, upstream.ErrUnknown):
		p.Status, p.Kind = http.StatusNotFound, KindUnknown
	case errors.Is(err, upstream.ErrNoLogin):
		p.Status, p.Kind = http.StatusConflict, KindNoLogin
	case errors.Is(err, errRequest):
		p.Status, p.Kind = http.StatusBadRequest, KindRequest
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// refusalOf is the refusal in an error; nil where there is none.
func refusalOf(err error) *Refusal {
	var (
		illegal *fsm.IllegalTransitionError
		stale   *fsm.StaleError
		guarded *fsm.GuardError
		vetoed  *fsm.VetoError
	)
	of := func(r fsm.Refusal, d fsm.Disposition, guard string) *Refusal {
		return &Refusal{Upstream: r.Machine, Region: r.Region, State: r.State, Event: r.Event, Epoch: r.Epoch, Disposition: d,
			Guard: guard, Flow: r.Flow, Reason: r.Reason, Accepted: append([]string{}, r.Accepted...)}
	}
	switch {
	case errors.As(err, &illegal):
		return of(illegal.Refusal, fsm.Illegal, "")
	case errors.As(err, &stale):
		return of(stale.Refusal, fsm.Stale, "")
	case errors.As(err, &guarded):
		return of(guarded.Refusal, fsm.Guarded, guarded.Guard)
	case errors.As(err, &vetoed):
		return of(vetoed.Refusal, fsm.Vetoed, "")
	}
	return nil
}

func refuse(w http.ResponseWriter, err error) {
	p := problemOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client went away
}
