package transitions

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

type (
	region     = fsm.Region[states.State, Event, states.Data, Payload]
	transition = fsm.Transition[states.State, Event, states.Data, Payload]
	state      = fsm.State[states.State, Event, states.Data]
	rule       = fsm.Rule[states.State, Event]
	timer      = fsm.Timer[Event, states.Data]
	job        = fsm.Job[Event]
	from       = []states.State
	signals    = []Event
	guards     = []Guard
)

// Jobs of the connection region.
const (
	JobConnect = "connect"
	JobWatch   = "watch"
)

// overdue bounds how long the connection region waits for the credential region
// before it asks again, and how long a turn is waited for. Everything the credential
// region does is shorter.
const overdue = 15 * time.Minute

// ConnectionRegion declares the connection region.
func ConnectionRegion() region {
	return region{
		Name:        states.Connection,
		Doc:         "The transport to the upstream. It may be dropped at any moment.",
		Initial:     states.Disconnected,
		States:      connectionStates(),
		Events:      connectionEvents(),
		Transitions: connectionTransitions(),
		Joins: []rule{
			{From: from{states.AwaitingCredential, states.ConnectQueued, states.Connecting}, Event: Connect, Reason: "the way to the upstream is under way"},
			{From: from{states.Connected}, Event: Connect, Reason: "the upstream is connected"},
		},
		Ignores: []rule{
			{From: from{states.Disconnected}, Event: Disconnect, Reason: "nothing is connected"},
			{From: from{states.Disconnected, states.Failed}, Event: CredentialReady, Reason: "nobody waits for the credential"},
			{From: from{states.Connecting, states.Connected}, Event: CredentialReady, Reason: "requests read the current token by themselves"},
			{From: from{states.ConnectQueued}, Event: CredentialReady, Reason: "the attempt waits for its turn"},
			{From: from{states.BackingOff}, Event: CredentialReady, Reason: "the next attempt is scheduled"},
			{From: from{states.Disconnected, states.Failed, states.AwaitingLogin}, Event: CredentialParked, Reason: "nothing is open that would have to end"},
			{From: from{states.Disconnected, states.AwaitingCredential, states.AwaitingLogin, states.ConnectQueued, states.BackingOff, states.Failed}, Event: TransportFailed, Reason: "the transport is closed already"},
			{From: from{states.Closed}, Event: CredentialReady, Reason: "the upstream is closed"},
			{From: from{states.Closed}, Event: CredentialParked, Reason: "the upstream is closed"},
			{From: from{states.Closed}, Event: TransportFailed, Reason: "the upstream is closed"},
			{From: from{states.ConnectQueued, states.Connecting}, Event: SessionLost, Reason: "a session is being opened"},
		},
	}
}

func connectionStates() []state {
	of := func(name states.State, kind fsm.Kind) state {
		return state{Name: name, Kind: kind, Doc: states.Doc(states.Connection, name)}
	}
	awaitingCredential := of(states.AwaitingCredential, fsm.Waiting)
	awaitingCredential.Signals = signals{CredentialDemanded}
	awaitingCredential.Timers = []timer{{Event: CredentialOverdue, Doc: "15 min", At: func(_ states.Data, entered time.Time) time.Time { return entered.Add(overdue) }}}

	queued := of(states.ConnectQueued, fsm.Waiting)
	queued.Timers = []timer{within(ConnectTurnOverdue, overdue)}

	connecting := of(states.Connecting, fsm.Working)
	connecting.Job = job{Name: JobConnect, Crashed: ProtocolFailed}
	connecting.Timers = []timer{{Event: ConnectTimedOut, Doc: "connect deadline", At: func(d states.Data, entered time.Time) time.Time { return entered.Add(d.Settings.ConnectDeadline) }}}

	connected := of(states.Connected, fsm.Serving)
	connected.Job = job{Name: JobWatch, Crashed: TransportFailed}

	backingOff := of(states.BackingOff, fsm.Waiting)
	backingOff.Timers = []timer{{Event: ReconnectDue, Doc: "exponential pause", At: func(d states.Data, entered time.Time) time.Time {
		return dueAt(d.RetryAt, entered, d.Attempts, 500*time.Millisecond, time.Minute)
	}}}

	return []state{
		of(states.Disconnected, fsm.Parked),
		awaitingCredential,
		of(states.AwaitingLogin, fsm.Parked),
		queued,
		connecting,
		connected,
		backingOff,
		of(states.Failed, fsm.Parked),
		of(states.Closed, fsm.Final),
	}
}

// dueAt is the planned time of a retry or, where none was planned, one after an
// exponential pause.
func dueAt(planned, entered time.Time, attempts int, first, most time.Duration) time.Time {
	if !planned.IsZero() {
		return planned
	}
	pause := first
	for range min(attempts, 16) {
		pause = min(2*pause, most)
	}
	return entered.Add(pause)
}

func connectionTransitions() []transition {
	return []transition{
		// wanted and not wanted
		{From: from{states.Disconnected}, Event: Connect, To: states.AwaitingCredential, Update: resetAttempts, Main: true},
		{From: from{states.AwaitingLogin, states.BackingOff, states.Failed}, Event: Connect, To: states.AwaitingCredential, Update: resetAttempts},
		{From: from{states.AwaitingCredential, states.AwaitingLogin, states.ConnectQueued, states.Connecting, states.Connected, states.BackingOff, states.Failed}, Event: Disconnect, To: states.Disconnected, Update: resetAttempts},

		// what the credential region says
		{From: from{states.AwaitingCredential}, Event: CredentialReady, To: states.ConnectQueued, Main: true},
		{From: from{states.AwaitingLogin}, Event: CredentialReady, To: states.ConnectQueued, Doc: "after the login"},
		{From: from{states.AwaitingCredential, states.ConnectQueued, states.Connecting, states.Connected, states.BackingOff}, Event: CredentialParked, To: states.AwaitingLogin, Update: withoutParts},
		{From: from{states.AwaitingCredential}, Event: CredentialOverdue, To: states.BackingOff, Update: backOff, Doc: "asks again after a pause"},

		// its turn
		{From: from{states.ConnectQueued}, Event: ConnectTurn, To: states.Connecting, Main: true, Doc: "at once, mostly; the attempt's deadline begins here"},
		{From: from{states.ConnectQueued}, Event: ConnectTurnOverdue, To: states.AwaitingCredential, Doc: "asks for its turn anew; nothing was tried"},

		// one attempt
		{From: from{states.Connecting}, Event: Handshaken, To: states.Connected, Update: connected, Main: true},
		{From: from{states.Connecting}, Event: Unauthorized, To: states.AwaitingCredential, Update: reached, Doc: "the credential region was told by the 401 itself"},
		{From: from{states.Connecting}, Event: Forbidden, To: states.AwaitingLogin, Update: connectionFailure, Doc: "a login has to ask for more scopes"},
		{From: from{states.Connecting}, Event: TransportFailed, To: states.BackingOff, Update: backOff},
		{From: from{states.Connecting}, Event: ConnectTimedOut, To: states.BackingOff, Update: backOff},
		{From: from{states.Connecting}, Event: ProtocolFailed, To: states.Failed, Update: connectionFailure},

		// while it serves
		{From: from{states.Connected}, Event: PartFailed, To: states.Connected, Update: partFailed, Doc: "requests flow; the part is tried again"},
		{From: from{states.Connected}, Event: PartRestored, To: states.Connected, Update: partRestored},
		{From: from{states.Connected}, Event: SessionLost, To: states.ConnectQueued, Update: each(connectionFailure, withoutParts), Doc: "a new session at once"},
		{From: from{states.Connected}, Event: TransportFailed, To: states.BackingOff, Update: lost},

		// the pause is over
		{From: from{states.BackingOff}, Event: ReconnectDue, To: states.AwaitingCredential},

		{From: from{states.Disconnected, states.AwaitingCredential, states.AwaitingLogin, states.ConnectQueued, states.Connecting, states.Connected, states.BackingOff, states.Failed},
			Event: ConnectionShutdown, To: states.Closed, Update: withoutParts, Signals: signals{CredentialShutdown}},
	}
}
