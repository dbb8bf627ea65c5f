package transitions

import (
	"slices"

	"mcpproxy/states"
)

// Request is what a user may ask of an upstream, by the name that commands and interfaces
// have for it.
type Request string

// The requests.
const (
	RequestLogin      Request = "login"
	RequestCancel     Request = "cancel"
	RequestLogout     Request = "logout"
	RequestConnect    Request = "connect"
	RequestDisconnect Request = "disconnect"
	RequestRetry      Request = "retry"
)

// ends are the events that decide what the user is told of a request.
var ends = map[Request]Event{
	RequestLogin:      LoginRequested,
	RequestCancel:     LoginCancelled,
	RequestLogout:     LogoutRequested,
	RequestConnect:    Connect,
	RequestDisconnect: Disconnect,
	RequestRetry:      RetryRequested,
}

// Expand is what a request fires in the present states, in this order: by a runtime, and by
// a checker. The last event decides what the user is told.
func (r Request) Expand(graph *Graph, s *Snapshot) []Event {
	credential := s.Region(states.Credential).State
	switch r {
	case RequestLogin: // the store is read first
		if credential == states.Unloaded {
			return []Event{CredentialDemanded, LoginRequested}
		}
	case RequestConnect: // the next attempt to renew the token is part of it
		if slices.Contains(graph.Accepted(states.Credential, credential), string(RetryRequested)) {
			return []Event{RetryRequested, Connect}
		}
	case RequestCancel:
		return []Event{LoginEnd(s.Data, LoginCancelled)}
	}
	return []Event{ends[r]}
}

// RequestOf is the request that the event decides, or "".
func RequestOf(event Event) Request {
	for request, end := range ends {
		if end == event {
			return request
		}
	}
	return ""
}
