// Package states names the states of an upstream, and holds the data that an
// upstream's machine carries from state to state.
//
// An upstream is one statechart with two regions. The connection region
// protects the transport and may be dropped at any moment; the credential region
// protects one-time secrets (a refresh token, an authorization code) and may not.
// What users see first is the [Phase], a projection of both.
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
