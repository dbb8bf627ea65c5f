package status

import (
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Action is something that a user can do.
type Action struct {
	// Request is what the action asks of the proxy, or [Check].
	Request transitions.Request `json:"request"`
	Command string              `json:"command"`
	Why     string              `json:"why"`
}

// Check is asked of a program of the command line, and not of the proxy.
const Check transitions.Request = "check"

// commandOf is the command that makes the request of an upstream.
func commandOf(request transitions.Request, upstream string) string {
	switch request {
	case Check:
		return "mcpproxy config check"
	case transitions.RequestConnect, transitions.RequestDisconnect:
		return "mcpproxy upstream " + string(request) + " " + upstream
	}
	return "mcpproxy auth " + string(request) + " " + upstream
}

// actions are what the declaration offers in the present states, the most useful first.
func actions(graph *transitions.Graph, s *transitions.Snapshot) []Action {
	all := []Action{}
	if s.Region(states.Connection).Kind == fsm.Final {
		return all
	}
	if s.Data.Reason == states.EntryInvalid || s.Data.Settings.Problem != "" {
		// The change of the file is all that helps, and is seen by itself.
		all = append(all, Action{Request: Check, Command: commandOf(Check, ""), Why: "shows all problems of the configuration file"})
	}
	for _, offered := range graph.Offered(s) {
		request := transitions.RequestOf(transitions.Event(offered.Event))
		all = append(all, Action{Request: request, Command: commandOf(request, s.Machine), Why: offered.Doc})
	}
	return all
}

// Inactive is what is said of an upstream of which only the store knows: the configuration
// has it no more, or has it disabled. Damage, if not nil, is why its records cannot be read.
func Inactive(name string, token *credential.Token, damage error, now time.Time) Upstream {
	logout := Action{
		Request: transitions.RequestLogout,
		Command: commandOf(transitions.RequestLogout, name),
		Why:     "erases and revokes what is stored",
	}
	u := Upstream{
		Name:    name,
		Phase:   PhaseInactive,
		Outlook: transitions.Gone,
		Doc:     "The configuration has it no more, or has it disabled; what it was logged in with is still in the store.",
		Token:   OfToken(token),
		Regions: []Region{},
		Refused: []fsm.Entry{},
		Actions: []Action{logout},
	}
	if token != nil {
		u.Transport, u.URL = "http", token.Resource
	}
	if damage != nil {
		u.Reason, u.CredentialError = states.StoreCorrupt, &Failure{At: now, Text: damage.Error()}
	}
	return u
}
