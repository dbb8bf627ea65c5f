package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"mcpproxy/admin/api"
	"mcpproxy/fsm"
	"mcpproxy/status"
	"mcpproxy/upstream"
)

// errRequest marks what is wrong with a request.
var errRequest = errors.New("the request is wrong")

func problemOf(err error) api.Problem {
	p := api.Problem{Status: http.StatusBadGateway, Kind: api.KindFailed, Detail: err.Error(), Refusal: refusalOf(err)}
	switch {
	case p.Refusal != nil:
		p.Status, p.Kind = http.StatusConflict, api.KindIllegal
	case errors.Is(err, status.ErrUnknown):
		p.Status, p.Kind = http.StatusNotFound, api.KindUnknown
	case errors.Is(err, upstream.ErrNoLogin):
		p.Status, p.Kind = http.StatusConflict, api.KindNoLogin
	case errors.Is(err, errRequest):
		p.Status, p.Kind = http.StatusBadRequest, api.KindRequest
	}
	p.Title = http.StatusText(p.Status)
	return p
}

// refusalOf is the refusal in an error; nil where there is none.
func refusalOf(err error) *api.Refusal {
	var (
		illegal *fsm.IllegalTransitionError
		stale   *fsm.StaleError
		guarded *fsm.GuardError
		vetoed  *fsm.VetoError
	)
	of := func(r fsm.Refusal, d fsm.Disposition, guard string) *api.Refusal {
		return &api.Refusal{Upstream: r.Machine, Region: r.Region, State: r.State, Event: r.Event, Epoch: r.Epoch, Disposition: d,
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
