// Package states names the states of an upstream, and holds the data that an
// upstream's machine carries from state to state.
//
// An upstream is one statechart with two regions. The connection region
// protects the transport and may be dropped at any moment; the credential region
// protects one-time secrets (a refresh token, an authorization code) and may not.
// What people see first is the [Phase], a projection of both.
//
// The package decides nothing: which event leads where stands in package
// transitions. Its values are immutable; an update makes a copy.
package states

// State is a state of either region. Names are unique within a region only.
type State string

// The names of the regions.
const (
	Connection = "connection"
	Credential = "credential"
)

// States of the connection region.
const (
	Disconnected       State = "Disconnected"
	AwaitingCredential State = "AwaitingCredential"
	AwaitingLogin      State = "AwaitingLogin"
	ConnectQueued      State = "ConnectQueued"
	Connecting         State = "Connecting"
	Connected          State = "Connected"
	BackingOff         State = "BackingOff"
)

// States of the credential region.
const (
	Unloaded        State = "Unloaded"
	LoadingToken    State = "LoadingToken"
	NotNeeded       State = "NotNeeded"
	Anonymous       State = "Anonymous"
	Fresh           State = "Fresh"
	RefreshQueued   State = "RefreshQueued"
	Refreshing      State = "Refreshing"
	RefreshBackoff  State = "RefreshBackoff"
	RefreshPaused   State = "RefreshPaused"
	Discovering     State = "Discovering"
	Registering     State = "Registering"
	AwaitingBrowser State = "AwaitingBrowser"
	ExchangingCode  State = "ExchangingCode"
	AwaitingDevice  State = "AwaitingDevice"
	LoginBackoff    State = "LoginBackoff"
	RequestingToken State = "RequestingToken"
	GrantBackoff    State = "GrantBackoff"
	LoginRequired   State = "LoginRequired"
	LoggingOut      State = "LoggingOut"
	LoggedOut       State = "LoggedOut"
)

// States that both regions have.
const (
	Failed State = "Failed"
	Closed State = "Closed"
)

// Phase is the one word for an upstream: the connection's state, and while the
// connection waits for the credential, or is open and cannot carry a request for want
// of a token that works, the credential's.
type Phase string

// PhaseOf projects the two regions' states onto the phase. works says whether requests
// can be carried ([Data.Works]).
func PhaseOf(connection, credential State, works bool) Phase {
	if Leading(connection, credential, works) == Credential {
		return Phase(credential)
	}
	return Phase(connection)
}

// Leading is the region whose state is the phase.
func Leading(connection, credential State, works bool) string {
	switch {
	case (connection == AwaitingCredential || connection == AwaitingLogin) && !credential.Resting(), connection == Connected && !works:
		return Credential
	}
	return Connection
}

// Resting reports whether the credential's state is one in which nothing is missing:
// the connection has its answer, or will have it at once.
func (s State) Resting() bool {
	switch s {
	case Fresh, Anonymous, NotNeeded, Unloaded:
		return true
	}
	return false
}

// NeedsPerson reports whether the credential's state is one that only a person ends.
func (s State) NeedsPerson() bool {
	switch s {
	case LoginRequired, LoggedOut:
		return true
	}
	return false
}

// LoginOpen reports whether the credential's state belongs to an open
// authorization flow.
func (s State) LoginOpen() bool {
	switch s {
	case Discovering, Registering, AwaitingBrowser, ExchangingCode, AwaitingDevice, LoginBackoff, RequestingToken:
		return true
	}
	return false
}
