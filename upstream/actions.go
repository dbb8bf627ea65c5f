package upstream

import (
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Action is something that a person can do.
type Action struct {
	// Wish is what the action asks of the proxy.
	Wish    Wish   `json:"wish"`
	Command string `json:"command"`
	Why     string `json:"why"`
}

// Wish is what a person may ask of an upstream.
type Wish string

// The wishes.
const (
	WishLogin      Wish = "login"
	WishCancel     Wish = "cancel"
	WishLogout     Wish = "logout"
	WishConnect    Wish = "connect"
	WishDisconnect Wish = "disconnect"
	// WishCheck is asked of a program of the command line, and not of the proxy.
	WishCheck Wish = "check"
)

// commands are those that say a wish.
var commands = map[Wish]string{
	WishLogin:      "mcpproxy auth login",
	WishCancel:     "mcpproxy auth cancel",
	WishLogout:     "mcpproxy auth logout",
	WishConnect:    "mcpproxy upstream connect",
	WishDisconnect: "mcpproxy upstream disconnect",
	WishCheck:      "mcpproxy config check",
}

// actions are what a person can do in the present states, the most useful first.
func actions(s *transitions.Snapshot) []Action {
	all := []Action{}
	add := func(wish Wish, why string) {
		command := commands[wish]
		if wish != WishCheck {
			command += " " + s.Machine
		}
		all = append(all, Action{Wish: wish, Command: command, Why: why})
	}
	connection, credential := s.Region(states.Connection).State, s.Region(states.Credential).State
	if connection == states.Closed || credential == states.Closed {
		return all
	}
	if connection == states.Disconnected {
		add(WishConnect, "connects now")
	}
	credentialActions(s, credential, add)
	switch {
	case connection == states.BackingOff && len(all) == 0:
		add(WishConnect, "connects now")
	case connection == states.Failed && len(all) == 0:
		add(WishConnect, "tries again, once the cause is mended")
	}
	switch connection {
	case states.Connected:
		why := "closes the connection"
		if s.Data.Token != nil {
			why += " and keeps the token"
		}
		add(WishDisconnect, why)
	case states.BackingOff:
		add(WishDisconnect, "ends the attempts to connect")
	}
	if connection == states.Connected && credential == states.Fresh && len(s.Data.Scopes) == 0 {
		add(WishLogin, "logs in anew, as somebody else for instance")
	}
	if erasable(s, credential) {
		why := "erases and revokes the token, until the next login"
		if s.Data.Reason == states.StoreCorrupt && credential == states.Failed {
			why = "erases what is damaged, so that a login can begin anew"
		}
		add(WishLogout, why)
	}
	return all
}

func credentialActions(s *transitions.Snapshot, credential states.State, add func(Wish, string)) {
	switch credential {
	case states.LoginRequired, states.LoggedOut:
		switch s.Region(states.Connection).State {
		case states.Disconnected, states.Failed:
			add(WishLogin, "logs in")
		default:
			add(WishLogin, "logs in and connects")
		}
	case states.AwaitingBrowser:
		add(WishLogin, "shows the page of the open login again and waits for its outcome")
		add(WishCancel, "gives the open login up")
	case states.AwaitingDevice:
		add(WishLogin, "shows the address and the code of the open login again and waits for its outcome")
		add(WishCancel, "gives the open login up")
	case states.Discovering, states.Registering:
		add(WishLogin, "joins the login that is open and waits for its outcome")
		add(WishCancel, "gives the open login up")
	case states.ExchangingCode, states.RequestingToken:
		add(WishLogin, "joins the login that is being finished and waits for its outcome")
	case states.Failed:
		if s.Data.Reason == states.EntryInvalid {
			// The change of the file is all that helps, and is seen by itself.
			add(WishCheck, "shows all problems of the configuration file")
			return
		}
		add(WishConnect, "tries again, once the cause is mended")
		if s.Data.Reason != states.StaticRefused && s.Data.Reason != states.StoreCorrupt {
			add(WishLogin, "logs in anew")
		}
	case states.RefreshPaused, states.RefreshBackoff:
		add(WishConnect, "tries the refresh now")
		add(WishLogin, "logs in anew")
	case states.GrantBackoff:
		add(WishConnect, "requests the token now")
	case states.Fresh:
		if len(s.Data.Scopes) > 0 {
			add(WishLogin, "asks for the scopes that a call was missing")
		}
	}
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
