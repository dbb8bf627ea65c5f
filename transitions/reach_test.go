package transitions_test

import (
	"testing"

	"mcpproxy/states"
	"mcpproxy/transitions"
)

func TestWhatCanBeReachedWithoutAPerson(t *testing.T) {
	connected := func(connection, _ states.State) bool { return connection == states.Connected }
	disconnected := func(connection, _ states.State) bool { return connection == states.Disconnected }
	refreshing := func(_, credential states.State) bool { return credential == states.Refreshing }
	for _, test := range []struct {
		name                   string
		connection, credential states.State
		goal                   func(connection, credential states.State) bool
		want                   bool
	}{
		{"a token that is being read leads on", states.AwaitingCredential, states.LoadingToken, connected, true},
		{"an open login may be completed", states.AwaitingLogin, states.AwaitingBrowser, connected, true},
		{"after a pause comes the next attempt", states.BackingOff, states.Fresh, connected, true},
		{"a token is renewed in time", states.Connected, states.Fresh, refreshing, true},
		{"a login begins with a user", states.AwaitingLogin, states.LoginRequired, connected, false},
		{"a logout holds", states.AwaitingLogin, states.LoggedOut, connected, false},
		{"nobody wants it", states.Disconnected, states.Fresh, connected, false},
		{"a failed connection is fixed by a user", states.Failed, states.Fresh, connected, false},
		{"only a user disconnects", states.Connected, states.Fresh, disconnected, false},
	} {
		if got := transitions.ReachableAlone(transitions.Definition().Graph(), test.connection, test.credential, test.goal); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
