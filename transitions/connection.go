package transitions

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
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

// stuckFor is how long an attempt to connect may go on after its deadline, by which it
// ends by itself.
const stuckFor = 5 * time.Second

// connectionChart declares the connection region.
func connectionChart() chart {
	return chart{
		Name:    states.Connection,
		Doc:     "The transport to the upstream. It may be dropped at any moment.",
		Initial: states.Disconnected,
		Events:  connectionEvents(),
		States: blocks{
			{
				Name: "Managed", Doc: "The upstream is in the configuration, and the proxy runs.",
				Rows: rows{
					{On: events{ConnectionShutdown}, To: states.Closed, Update: withoutParts, Signals: events{CredentialShutdown}},
					ignored("the transport is closed already", TransportFailed),
				},
				States: blocks{disconnected(), wanted()},
			},
			{
				Name: states.Closed, Kind: fsm.Final,
				Doc:  "The upstream was removed or the proxy is going down.",
				Next: "It is over; a proxy that has the upstream in its configuration begins again.",
				Rows: rows{ignored("the upstream is closed", CredentialReady, CredentialParked, TransportFailed)},
			},
		},
	}
}

func disconnected() block {
	return block{
		Name: states.Disconnected, Kind: fsm.Parked,
		Doc:    "Nobody wants the upstream.",
		Next:   "It stays so until a user connects it, or the proxy starts again.",
		Offers: offers{{Event: Connect, Doc: "connects now"}},
		Rows: rows{
			{On: events{Connect}, To: states.AwaitingCredential, Update: resetAttempts, Main: true},
			ignored("nothing is connected", Disconnect),
			ignored("nobody waits for the credential", CredentialReady),
			ignored("nothing is open that would have to end", CredentialParked),
		},
	}
}

func wanted() block {
	return block{
		Name: "Wanted", Doc: "The upstream is wanted, until it is not.",
		Rows: rows{
			{On: events{Disconnect}, To: states.Disconnected, Update: resetAttempts},
			{On: events{CredentialParked}, To: states.AwaitingLogin, Update: withoutParts},
		},
		States: blocks{underway(), serving(), delayed()},
	}
}

// underway are the steps of an attempt.
func underway() block {
	return block{
		Name: "Attempt", Doc: "The way to the upstream is under way.", Tags: tags{Passing},
		Rows: rows{joined("the way to the upstream is under way", Connect, ConnectionWanted)},
		States: blocks{
			{
				Name: states.AwaitingCredential, Kind: fsm.Waiting,
				Doc:     "The credential region is at work; the connection goes on when it has an answer.",
				Next:    "It connects as soon as the credential is there.",
				Signals: events{CredentialDemanded},
				Timers:  timers{within(CredentialOverdue, overdue)},
				Rows: rows{
					{On: events{CredentialReady}, To: states.ConnectQueued, Main: true},
					{On: events{CredentialOverdue}, To: states.BackingOff, Update: backOff, Doc: "asks again after a pause"},
				},
			},
			{
				Name: states.ConnectQueued, Kind: fsm.Waiting,
				Doc:    "Its turn to connect is awaited: as many attempts are under way as the configuration allows.",
				Next:   "It connects when its slot is free, which is when another attempt has ended.",
				Timers: timers{within(ConnectTurnOverdue, overdue)},
				Rows: rows{
					{On: events{ConnectTurn}, To: states.Connecting, Main: true, Doc: "at once, mostly; the attempt's deadline begins here"},
					{On: events{ConnectTurnOverdue}, To: states.AwaitingCredential, Doc: "asks for its turn again; nothing was tried"},
					ignored("the attempt waits for its turn", CredentialReady),
					ignored("a session is being opened", SessionLost),
				},
			},
			{
				Name: states.Connecting, Kind: fsm.Working,
				Doc:  "The transport is opened, the protocol agreed on and the lists are read.",
				Next: "It is connected once the server has answered; an attempt that fails is repeated after a pause.",
				Tags: tags{Attempting},
				Job:  job{Name: JobConnect, Crashed: ProtocolFailed},
				Timers: timers{{Event: ConnectTimedOut, Doc: "5 s after the connect deadline, should the attempt not have ended by then",
					At: connectBy}},
				Rows: rows{
					{On: events{Handshaken}, To: states.Connected, Update: connected, Main: true},
					{On: events{Unauthorized}, To: states.AwaitingCredential, Update: reached, Doc: "the credential region was told by the 401 itself"},
					{On: events{Forbidden}, To: states.AwaitingLogin, Update: connectionFailure, Doc: "a login has to ask for more scopes"},
					instead(row{On: events{TransportFailed}, To: states.BackingOff, Update: backOff}),
					{On: events{ConnectTimedOut}, To: states.BackingOff, Update: backOff},
					{On: events{ProtocolFailed}, To: states.Failed, Update: connectionFailure},
					ignored("requests read the current token by themselves", CredentialReady),
					ignored("a session is being opened", SessionLost),
				},
			},
		},
	}
}

func serving() block {
	return block{
		Name: states.Connected, Kind: fsm.Serving,
		Doc:  "Requests flow.",
		Next: "It stays connected; a connection that breaks is opened again by itself.",
		Offers: offers{
			{Event: Disconnect, Doc: "closes the connection and keeps the token", When: hasToken, Last: true},
			{Event: Disconnect, Doc: "closes the connection", Last: true},
		},
		Job: job{Name: JobWatch, Crashed: TransportFailed},
		Rows: rows{
			{On: events{PartFailed}, Update: partFailed, Doc: "requests flow; the part is tried again"},
			{On: events{PartRestored}, Update: partRestored},
			{On: events{SessionLost}, To: states.ConnectQueued, Update: sessionLost, Doc: "a new session at once"},
			instead(row{On: events{TransportFailed}, To: states.BackingOff, Update: lost}),
			joined("the upstream is connected", Connect, ConnectionWanted),
			ignored("requests read the current token by themselves", CredentialReady),
		},
	}
}

// delayed are the states in which nothing is under way until something happens.
func delayed() block {
	return block{
		Name: "Delayed", Doc: "The upstream is wanted, and nothing is under way.",
		Rows: rows{{On: events{Connect}, To: states.AwaitingCredential, Update: resetAttempts}},
		States: blocks{
			{
				Name: states.AwaitingLogin, Kind: fsm.Parked,
				Doc:  "A user has to log in first; nothing is sent until then.",
				Next: "It connects by itself once a user has logged in.",
				Rows: rows{
					{On: events{CredentialReady}, To: states.ConnectQueued, Doc: "after the login"},
					instead(ignored("nothing is open that would have to end", CredentialParked)),
				},
			},
			{
				Name: states.BackingOff, Kind: fsm.Waiting, Tags: tags{Paced},
				Doc:  "The last attempt failed; the next one is at a known time.",
				Next: "It goes on trying, with pauses that grow, longer where many are down; a call tries at once.",
				Offers: offers{
					{Event: Connect, Doc: "connects now", Last: true},
					{Event: Disconnect, Doc: "ends the attempts to connect", Last: true},
				},
				Timers: timers{{Event: ReconnectDue, Doc: "exponential pause", At: reconnectAt}},
				Rows: rows{
					{On: events{ReconnectDue}, To: states.AwaitingCredential},
					{On: events{ConnectionWanted}, To: states.AwaitingCredential, Guards: guards{connectionDue},
						Doc: "not more often than every few seconds"},
					ignored("the next attempt is scheduled", CredentialReady),
				},
			},
			{
				Name: states.Failed, Kind: fsm.Parked, Tags: tags{AwaitsUser},
				Doc:    "Trying again by itself would not help; a user or a new configuration has to.",
				Next:   "It stays so until a user connects it or its configuration changes.",
				Offers: offers{{Event: Connect, Doc: "tries again, once the cause is fixed", When: entryIsUsable, Last: true}},
				Rows: rows{
					ignored("nobody waits for the credential", CredentialReady),
					instead(ignored("nothing is open that would have to end", CredentialParked)),
				},
			},
		},
	}
}

func connectBy(d states.Data, entered time.Time) time.Time {
	return entered.Add(d.Settings.ConnectDeadline + stuckFor)
}

func reconnectAt(d states.Data, entered time.Time) time.Time {
	return dueAt(d.RetryAt, entered, d.Attempts, 500*time.Millisecond, time.Minute)
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
