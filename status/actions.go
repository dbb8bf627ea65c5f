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
	// Request is what the action asks of the proxy.
	Request Request `json:"request"`
	Command string  `json:"command"`
	Why     string  `json:"why"`
}

// Request is what a user may ask of an upstream.
type Request string

// The requests.
const (
	RequestLogin      Request = "login"
	RequestCancel     Request = "cancel"
	RequestLogout     Request = "logout"
	RequestConnect    Request = "connect"
	RequestDisconnect Request = "disconnect"
	// RequestCheck is asked of a program of the command line, and not of the proxy.
	RequestCheck Request = "check"
)

// commands are those that make a request.
var commands = map[Request]string{
	RequestLogin:      "mcpproxy auth login",
	RequestCancel:     "mcpproxy auth cancel",
	RequestLogout:     "mcpproxy auth logout",
	RequestConnect:    "mcpproxy upstream connect",
	RequestDisconnect: "mcpproxy upstream disconnect",
	RequestCheck:      "mcpproxy config check",
}

// actions are what a user can do in the present states, the most useful first.
func actions(s *transitions.Snapshot) []Action {
	all := []Action{}
	add := func(request Request, why string) {
		command := commands[request]
		if request != RequestCheck {
			command += " " + s.Machine
		}
		all = append(all, Action{Request: request, Command: command, Why: why})
	}
	connection, credential := s.Region(states.Connection).State, s.Region(states.Credential).State
	if connection == states.Closed || credential == states.Closed {
		return all
	}
	if connection == states.Disconnected {
		add(RequestConnect, "connects now")
	}
	credentialActions(s, credential, add)
	switch {
	case connection == states.BackingOff && len(all) == 0:
		add(RequestConnect, "connects now")
	case connection == states.Failed && len(all) == 0:
		add(RequestConnect, "tries again, once the cause is mended")
	}
	switch connection {
	case states.Connected:
		why := "closes the connection"
		if s.Data.Token != nil {
			why += " and keeps the token"
		}
		add(RequestDisconnect, why)
	case states.BackingOff:
		add(RequestDisconnect, "ends the attempts to connect")
	}
	if connection == states.Connected && credential == states.Fresh && len(s.Data.Scopes) == 0 {
		add(RequestLogin, "logs in anew, as somebody else for instance")
	}
	if erasable(s, credential) {
		why := "erases and revokes the token, until the next login"
		if s.Data.Reason == states.StoreCorrupt && credential == states.Failed {
			why = "erases what is damaged, so that a login can begin anew"
		}
		add(RequestLogout, why)
	}
	return all
}

func credentialActions(s *transitions.Snapshot, credential states.State, add func(Request, string)) {
	switch credential {
	case states.LoginRequired, states.LoggedOut:
		switch s.Region(states.Connection).State {
		case states.Disconnected, states.Failed:
			add(RequestLogin, "logs in")
		default:
			add(RequestLogin, "logs in and connects")
		}
	case states.AwaitingBrowser:
		add(RequestLogin, "shows the page of the open login again and waits for its outcome")
		add(RequestCancel, "gives the open login up")
	case states.AwaitingDevice:
		add(RequestLogin, "shows the address and the code of the open login again and waits for its outcome")
		add(RequestCancel, "gives the open login up")
	case states.Discovering, states.Registering:
		add(RequestLogin, "joins the login that is open and waits for its outcome")
		add(RequestCancel, "gives the open login up")
	case states.ExchangingCode, states.RequestingToken:
		add(RequestLogin, "joins the login that is being finished and waits for its outcome")
	case states.Failed:
		if s.Data.Reason == states.EntryInvalid {
			// The change of the file is all that helps, and is seen by itself.
			add(RequestCheck, "shows all problems of the configuration file")
			return
		}
		add(RequestConnect, "tries again, once the cause is mended")
		if s.Data.Reason != states.StaticRefused && s.Data.Reason != states.StoreCorrupt {
			add(RequestLogin, "logs in anew")
		}
	case states.RefreshPaused, states.RefreshBackoff:
		add(RequestConnect, "tries the refresh now")
		add(RequestLogin, "logs in anew")
	case states.GrantBackoff:
		add(RequestConnect, "requests the token now")
	case states.Fresh:
		if len(s.Data.Scopes) > 0 {
			add(RequestLogin, "asks for the scopes that a call was missing")
		}
	}
}

// Inactive is what is said of an upstream of which only the store knows: the configuration
// has it no more, or has it disabled. Damage, if not nil, is why its records cannot be read.
func Inactive(name string, token *credential.Token, damage error, now time.Time) Upstream {
	u := Upstream{
		Name:    name,
		Phase:   PhaseInactive,
		Outlook: transitions.Gone,
		Doc:     "The configuration has it no more, or has it disabled; what it was logged in with is still in the store.",
		Token:   OfToken(token),
		Regions: []Region{},
		Refused: []fsm.Entry{},
		Actions: []Action{{Request: RequestLogout, Command: commands[RequestLogout] + " " + name, Why: "erases and revokes what is stored"}},
	}
	if token != nil {
		u.Transport, u.URL = "http", token.Resource
	}
	if damage != nil {
		u.Reason, u.CredentialError = states.StoreCorrupt, &Failure{At: now, Text: damage.Error()}
	}
	return u
}

// erasable reports whether there is something to log out of.
func erasable(s *transitions.Snapshot, credential states.State) bool {
	switch credential {
	case states.LoggedOut, states.LoggingOut, states.NotNeeded:
		return false
	case states.Failed:
		return s.Data.Token != nil || s.Data.Reason == states.StoreCorrupt
	}
	return s.Data.Token != nil
}
