package transitions

import "mcpproxy/states"

// Concern is a part of the graph that users ask about by itself. It declares
// nothing: it names rows of the declaration, for pictures and lessons.
type Concern struct {
	Name, Title, Doc string
	// Way are the rows of the main path, in its order; Otherwise are
	// those that may be met on it.
	Way, Otherwise []Row
}

// Row names what the graph says of some events in a state.
type Row struct {
	Region string
	State  states.State
	Events []Event
}

func ofConnection(s states.State, events ...Event) Row { return Row{states.Connection, s, events} }
func ofCredential(s states.State, events ...Event) Row { return Row{states.Credential, s, events} }

// Concerns returns them in the order in which an upstream meets them.
func Concerns() []Concern {
	return []Concern{firstLogin(), restart(), renewal(), stepUp(), logout()}
}

func firstLogin() Concern {
	return Concern{
		Name: "first-login", Title: "The first login",
		Doc: "Nothing is stored. The server's 401 says that a login is needed; nothing is sent until a user asks for it. Asking " +
			"again at any moment joins what is open.",
		Way: []Row{
			ofConnection(states.Disconnected, Connect), ofCredential(states.Unloaded, CredentialDemanded),
			ofCredential(states.LoadingToken, TokenMissing),
			ofConnection(states.AwaitingCredential, CredentialReady), ofConnection(states.ConnectQueued, ConnectTurn),
			ofConnection(states.Connecting, Unauthorized), ofCredential(states.Anonymous, Challenged),
			ofConnection(states.AwaitingCredential, CredentialParked),
			ofCredential(states.LoginRequired, LoginRequested), ofCredential(states.Discovering, Discovered),
			ofCredential(states.Registering, Registered),
			ofCredential(states.AwaitingBrowser, CodeReceived), ofCredential(states.ExchangingCode, CodeExchanged),
			ofConnection(states.AwaitingLogin, CredentialReady), ofConnection(states.ConnectQueued, ConnectTurn),
			ofConnection(states.Connecting, Handshaken),
		},
		Otherwise: []Row{
			ofCredential(states.Discovering, LoginRequested, DiscoveryFailed),
			ofCredential(states.Registering, LoginRequested, RegistrationFailed, ListenerFailed),
			ofCredential(states.AwaitingBrowser, LoginRequested, LoginDenied, LoginFailed, LoginCancelled, LoginTimedOut),
			ofCredential(states.ExchangingCode, LoginRequested, ExchangeRejected),
		},
	}
}

func restart() Concern {
	return Concern{
		Name: "restart", Title: "A restart",
		Doc: "What the store holds is one of a few cases, each an event of its own. A token that works connects at once, an expired " +
			"one with a refresh token is renewed, and an open login goes on: none of them opens a browser.",
		Way: []Row{
			ofConnection(states.Disconnected, Connect), ofCredential(states.Unloaded, CredentialDemanded),
			ofCredential(states.LoadingToken, TokenUsable, TokenExpired), ofCredential(states.RefreshQueued, RefreshTurn),
			ofCredential(states.Refreshing, Refreshed),
			ofConnection(states.AwaitingCredential, CredentialReady), ofConnection(states.ConnectQueued, ConnectTurn),
			ofConnection(states.Connecting, Handshaken),
		},
		Otherwise: []Row{
			ofCredential(states.LoadingToken, TokenUncertain, RefreshUncertain, FlowOpen, FlowBesideToken, LoggedOutMark, TokenSpent,
				TokenMissing, EntryInvalid, StoreCorrupt, LoginRequested, LogoutRequested),
			ofCredential(states.Refreshing, RefreshRejected), ofCredential(states.AwaitingBrowser, CodeReceived),
			ofCredential(states.ExchangingCode, CodeExchanged),
		},
	}
}

func renewal() Concern {
	return Concern{
		Name: "renewal", Title: "Renewal",
		Doc: "A token is renewed ahead of its expiry while requests flow. The refresh token is sent once; only the authorization " +
			"server's own refusal gives it up, and every other failure keeps it and tries again at a known time.",
		Way: []Row{ofCredential(states.Fresh, RenewDue), ofCredential(states.RefreshQueued, RefreshTurn),
			ofCredential(states.Refreshing, Refreshed)},
		Otherwise: []Row{
			ofCredential(states.Fresh, TokenAccepted, TokenRefused, TokenRejected),
			ofCredential(states.RefreshQueued, RefreshTurnOverdue, TokenRefused),
			ofCredential(states.Refreshing, RefreshFailed, RefreshRefused, EndpointGone, RefreshExhausted, RefreshTimedOut, RefreshUncertain,
				RefreshTokenLost, RefreshRejected, ClientForgotten, ClientRejected, TokenRefused, LoginRequested, LogoutRequested),
			ofCredential(states.RefreshBackoff, RefreshRetryDue, RetryRequested),
			ofCredential(states.RefreshPaused, RefreshRetryDue, RetryRequested),
		},
	}
}

func stepUp() Concern {
	return Concern{
		Name: "step-up", Title: "Step-up: a call needs more scopes",
		Doc: "A 403 names the scopes that a call lacks. The token stays in use; a login asks for them as well, and one that comes to " +
			"nothing leaves the earlier token.",
		Way: []Row{
			ofCredential(states.Fresh, ScopeInsufficient, LoginRequested), ofCredential(states.Discovering, Discovered),
			ofCredential(states.Registering, Registered),
			ofCredential(states.AwaitingBrowser, CodeReceived), ofCredential(states.ExchangingCode, CodeExchanged),
		},
		Otherwise: []Row{
			ofCredential(states.Fresh, LoginProposed),
			ofCredential(states.Discovering, LoginAbandoned, LoginLapsed, ScopeInsufficient),
			ofCredential(states.Registering, LoginAbandoned, LoginLapsed),
			ofCredential(states.AwaitingBrowser, LoginRequested, LoginAbandoned, LoginLapsed),
			ofCredential(states.ExchangingCode, LoginAbandoned, LoginLapsed),
			ofConnection(states.Connecting, Forbidden, Handshaken), ofConnection(states.AwaitingLogin, CredentialReady),
		},
	}
}

func logout() Concern {
	return Concern{
		Name: "logout", Title: "Logout",
		Doc: "A user's logout erases and revokes the token, and holds over restarts until a user logs in. Where a one-time secret " +
			"is on its way the logout follows it; an open login ends with it.",
		Way: []Row{
			ofCredential(states.Fresh, LogoutRequested), ofCredential(states.LoggingOut, LogoutDone),
			ofConnection(states.Connected, CredentialParked),
		},
		Otherwise: []Row{
			ofCredential(states.Refreshing, LogoutRequested), ofCredential(states.ExchangingCode, LogoutRequested),
			ofCredential(states.Refreshing, Refreshed), ofCredential(states.ExchangingCode, CodeExchanged),
			ofCredential(states.AwaitingBrowser, LogoutRequested), ofCredential(states.LoginRequired, LogoutRequested),
			ofCredential(states.LoggingOut, LogoutFailed, LogoutRequested, LoginRequested),
			ofCredential(states.LoggedOut, LogoutRequested, LoginProposed, LoginRequested), ofCredential(states.LoadingToken, LoggedOutMark),
			ofConnection(states.AwaitingLogin, CredentialReady),
		},
	}
}
