package transitions

import "mcpproxy/fsm"

// Event is an event of either region.
type Event string

// Events of the connection region.
const (
	Connect            Event = "Connect"
	Disconnect         Event = "Disconnect"
	CredentialReady    Event = "CredentialReady"
	CredentialParked   Event = "CredentialParked"
	CredentialOverdue  Event = "CredentialOverdue"
	ConnectTurn        Event = "ConnectTurn"
	ConnectTurnOverdue Event = "ConnectTurnOverdue"
	Handshaken         Event = "Handshaken"
	Unauthorized       Event = "Unauthorized"
	Forbidden          Event = "Forbidden"
	TransportFailed    Event = "TransportFailed"
	ProtocolFailed     Event = "ProtocolFailed"
	ConnectTimedOut    Event = "ConnectTimedOut"
	ConnectionWanted   Event = "ConnectionWanted"
	SessionLost        Event = "SessionLost"
	PartFailed         Event = "PartFailed"
	PartRestored       Event = "PartRestored"
	ReconnectDue       Event = "ReconnectDue"
	ConnectionShutdown Event = "ConnectionShutdown"
)

// Events of the credential region.
const (
	CredentialDemanded Event = "CredentialDemanded"

	TokenUsable           Event = "TokenUsable"
	TokenExpired          Event = "TokenExpired"
	TokenSpent            Event = "TokenSpent"
	TokenMissing          Event = "TokenMissing"
	TokenUncertain        Event = "TokenUncertain"
	RefreshUncertain      Event = "RefreshUncertain"
	FlowOpen              Event = "FlowOpen"
	FlowBesideToken       Event = "FlowBesideToken"
	LoggedOutMark         Event = "LoggedOutMark"
	CredentialNotNeeded   Event = "CredentialNotNeeded"
	EntryInvalid          Event = "EntryInvalid"
	StoreCorrupt          Event = "StoreCorrupt"
	StoreFailed           Event = "StoreFailed"
	LoadTimedOut          Event = "LoadTimedOut"
	TokenAccepted         Event = "TokenAccepted"
	Challenged            Event = "Challenged"
	TokenRefused          Event = "TokenRefused"
	TokenRejected         Event = "TokenRejected"
	ScopeInsufficient     Event = "ScopeInsufficient"
	RenewDue              Event = "RenewDue"
	ExpiryReached         Event = "ExpiryReached"
	TokenLapsed           Event = "TokenLapsed"
	TokenWanted           Event = "TokenWanted"
	RefreshTurn           Event = "RefreshTurn"
	RefreshTurnOverdue    Event = "RefreshTurnOverdue"
	Refreshed             Event = "Refreshed"
	RefreshRejected       Event = "RefreshRejected"
	RefreshTokenLost      Event = "RefreshTokenLost"
	ClientForgotten       Event = "ClientForgotten"
	ClientRejected        Event = "ClientRejected"
	RefreshFailed         Event = "RefreshFailed"
	RefreshRefused        Event = "RefreshRefused"
	EndpointGone          Event = "EndpointGone"
	RefreshExhausted      Event = "RefreshExhausted"
	RefreshTimedOut       Event = "RefreshTimedOut"
	RefreshRetryDue       Event = "RefreshRetryDue"
	RetryRequested        Event = "RetryRequested"
	LoginRequested        Event = "LoginRequested"
	LoginProposed         Event = "LoginProposed"
	Discovered            Event = "Discovered"
	NotOAuth              Event = "NotOAuth"
	DiscoveryFailed       Event = "DiscoveryFailed"
	Registered            Event = "Registered"
	RegistrationFailed    Event = "RegistrationFailed"
	RegistrationRejected  Event = "RegistrationRejected"
	ListenerFailed        Event = "ListenerFailed"
	BrowserShown          Event = "BrowserShown"
	CodeReceived          Event = "CodeReceived"
	LoginDenied           Event = "LoginDenied"
	LoginFailed           Event = "LoginFailed"
	LoginCancelled        Event = "LoginCancelled"
	LoginTimedOut         Event = "LoginTimedOut"
	LoginAbandoned        Event = "LoginAbandoned"
	LoginLapsed           Event = "LoginLapsed"
	OptionalLoginEnded    Event = "OptionalLoginEnded"
	OptionalLoginLapsed   Event = "OptionalLoginLapsed"
	LoginDelayed          Event = "LoginDelayed"
	LoginRetryDue         Event = "LoginRetryDue"
	ExchangeRetryDue      Event = "ExchangeRetryDue"
	CodeExchanged         Event = "CodeExchanged"
	ExchangeRejected      Event = "ExchangeRejected"
	TokenUnsaved          Event = "TokenUnsaved"
	TokenSuperseded       Event = "TokenSuperseded"
	DeviceFlowOpen        Event = "DeviceFlowOpen"
	DeviceFlowBesideToken Event = "DeviceFlowBesideToken"
	DeviceCodeIssued      Event = "DeviceCodeIssued"
	NonceDemanded         Event = "NonceDemanded"
	TokenNonceDemanded    Event = "TokenNonceDemanded"
	GrantDue              Event = "GrantDue"
	GrantRenewDue         Event = "GrantRenewDue"
	ClientIdentified      Event = "ClientIdentified"
	IdentityAsserted      Event = "IdentityAsserted"
	TokenGranted          Event = "TokenGranted"
	GrantRejected         Event = "GrantRejected"
	GrantFailed           Event = "GrantFailed"
	GrantRetryDue         Event = "GrantRetryDue"
	LogoutRequested       Event = "LogoutRequested"
	LogoutDone            Event = "LogoutDone"
	LogoutFailed          Event = "LogoutFailed"
	JobCrashed            Event = "JobCrashed"
	CredentialShutdown    Event = "CredentialShutdown"
)

func outcome(name Event, doc, otherwise string) fsm.Event[Event] {
	return fsm.Event[Event]{Name: name, Doc: doc, Otherwise: otherwise, Bound: true}
}

func happening(name Event, doc, otherwise string) fsm.Event[Event] {
	return fsm.Event[Event]{Name: name, Doc: doc, Otherwise: otherwise}
}

// byUser is what only a user fires.
func byUser(name Event, doc, otherwise string) fsm.Event[Event] {
	return fsm.Event[Event]{Name: name, Doc: doc, Otherwise: otherwise, By: fsm.Person}
}

// planned and limit are events that a timer fires: one begins what was planned, the other
// ends a wait. then says so in words.
func planned(then string, e fsm.Event[Event]) fsm.Event[Event] {
	e.Then = then
	return e
}

func limit(then string, e fsm.Event[Event]) fsm.Event[Event] {
	e.Then, e.Limit = then, true
	return e
}

// connectionEvents declares the events of the connection region, with what they
// mean and why they are refused where no row names them.
func connectionEvents() []fsm.Event[Event] {
	const notConnected = "it is about a connection that serves, and there is none"
	const notConnecting = "it is the outcome of a connection attempt and none is under way"
	return []fsm.Event[Event]{
		happening(Connect, "The upstream is wanted: at start, after a reload, or because a user asks.", "the upstream is closed"),
		happening(Disconnect, "The upstream is no longer wanted.", "the upstream is closed"),
		happening(CredentialReady, "The credential region has a credential to go on with, or none is needed.", "the upstream is closed"),
		happening(CredentialParked, "The credential region cannot go on without a user.", "the upstream is closed"),
		limit("it stops waiting for the credential, and asks again after a pause",
			outcome(CredentialOverdue,
				"The credential region has not answered for a long time; it is asked again.", "no credential is being waited for")),
		outcome(ConnectTurn, "Its turn to connect has come.", "no attempt waits for its turn"),
		limit("it asks for its slot again, with the credential that there is by then",
			outcome(ConnectTurnOverdue, "The turn has not come for a long time; it is asked for again.", "no attempt waits for its turn")),
		outcome(Handshaken, "The protocol is agreed on and the lists are read.", notConnecting),
		outcome(Unauthorized, "The server answered the attempt with 401; the credential region knows.", notConnecting),
		outcome(Forbidden, "The server answered the attempt with 403: the token lacks a scope.", notConnecting),
		happening(TransportFailed, "The server cannot be reached, or the transport broke.", "no transport is open"),
		outcome(ProtocolFailed,
			"The server cannot be used as it is: its command cannot be run, or it does not answer as the protocol demands; trying "+
				"again would not help.",
			notConnecting),
		limit("it gives this attempt up, and makes another after a pause",
			outcome(ConnectTimedOut, "The attempt took too long.", notConnecting)),
		happening(SessionLost, "The server no longer knows the session (404, MCP 2025-11-25 transports).", "there is no session to lose"),
		outcome(PartFailed,
			"A part that the server need not have is not there: a list could not be read, or its own stream does not open or last.", notConnected),
		outcome(PartRestored, "A part that was missing is there again.", notConnected),
		planned("it tries to connect again",
			outcome(ReconnectDue, "The pause after a failed attempt is over.", "no attempt is scheduled")),
		happening(ConnectionWanted, "A call waits for a connection, and asks for the next attempt now.", "no attempt is scheduled"),
		happening(ConnectionShutdown, "The upstream is removed, or the proxy goes down.", "the upstream is closed already"),
	}
}

// credentialEvents declares the events of the credential region.
func credentialEvents() []fsm.Event[Event] {
	const (
		notLoading     = "it is what the store says, and nothing is being loaded"
		noToken        = "there is no current token that it could speak of"
		notRefreshing  = "it is the outcome of a refresh and none is under way"
		notDiscovering = "it is the outcome of a discovery and none is under way"
		notRegistering = "it is the outcome of a registration and none is under way"
		noBrowser      = "no login waits for a browser"
		notExchanging  = "it is the outcome of a code exchange and none is under way"
		noLogin        = "no login is open"
		notLoggingOut  = "it is the outcome of a logout and none is under way"
		noGrant        = "it is the outcome of a grant without a user and none is under way"
		closed         = "the upstream is closed"
	)
	return []fsm.Event[Event]{
		happening(CredentialDemanded, "The connection region needs a credential.", closed),
		outcome(TokenUsable, "The stored access token has not expired.", notLoading),
		outcome(TokenExpired, "The stored access token has expired and a refresh token lies beside it.", notLoading),
		outcome(TokenSpent, "The stored access token has expired and there is no refresh token.", notLoading),
		outcome(TokenMissing, "Nothing is stored.", notLoading),
		outcome(TokenUncertain,
			"A refresh has no known outcome; the access token still works and is used while it does.", "no refresh or load is under way"),
		outcome(RefreshUncertain,
			"A refresh has no known outcome and the access token is over; the refresh token is tried once more.", "no refresh or load is under way"),
		outcome(FlowOpen, "A login was open when the process ended, and its deadline is still ahead.", notLoading),
		outcome(FlowBesideToken,
			"A login was open when the process ended, its deadline is still ahead, and requests are sent beside it: with the stored "+
				"token, or without one where the server had not asked for it.", notLoading),
		outcome(LoggedOutMark, "A user logged out.", notLoading),
		outcome(CredentialNotNeeded, "The configuration gives the credential, or the transport needs none.", notLoading),
		outcome(EntryInvalid, "The entry in the configuration cannot be used; the store is not asked.", notLoading),
		outcome(StoreCorrupt, "The stored credential is damaged.", notLoading),
		outcome(StoreFailed, "The store could not be read.", notLoading),
		limit("it gives reading the store up",
			outcome(LoadTimedOut, "The store did not answer in time.", notLoading)),
		happening(TokenAccepted, "The resource server took the current token.", noToken),
		happening(Challenged,
			"The resource server answered a request without a token with 401.", "there is a token, and the request was sent before"),
		happening(TokenRefused, "The resource server answered the current token with 401.", noToken),
		happening(TokenRejected, "The resource server refuses a token issued just now, or refuses again and again.", noToken),
		happening(ScopeInsufficient, "The resource server answered 403: the token lacks scopes (RFC 6750 section 3.1).", noToken),
		planned("it renews the token, while requests flow on the old one",
			outcome(RenewDue, "The time to renew ahead of expiry has come.", noToken)),
		planned("the access token expires, and without a refresh token a user has to log in",
			outcome(ExpiryReached, "A token without a refresh token has expired.", noToken)),
		planned("the access token expires, and calls wait for what replaces it",
			outcome(TokenLapsed, "The access token has expired while what replaces it is not there yet.", noToken)),
		happening(TokenWanted, "A call waits for a token that works, and asks for the next attempt now.", "no renewal is paused"),
		outcome(RefreshTurn, "Its turn to renew the token has come.", "no refresh waits for its turn"),
		limit("it asks for its slot again, with the token that is stored by then",
			outcome(RefreshTurnOverdue, "The turn has not come for a long time; it is asked for again.", "no refresh waits for its turn")),
		outcome(Refreshed, "A new token is on disk.", notRefreshing),
		outcome(RefreshRejected,
			"The authorization server refused the refresh token or took it and gave none that can be used, and the access token is "+
				"over.", notRefreshing),
		outcome(RefreshTokenLost,
			"The authorization server refused the refresh token or took it and gave none that can be used, and the access token "+
				"still works.", notRefreshing),
		outcome(ClientForgotten,
			"The authorization server no longer knows the registered client (invalid_client); the registration is erased.",
			"no request to the token endpoint is under way"),
		outcome(ClientRejected,
			"The authorization server does not accept the configured client (invalid_client).", "no request to the token endpoint is under way"),
		outcome(RefreshFailed, "The attempt failed without spending the refresh token; another follows.", notRefreshing),
		outcome(RefreshRefused,
			"The authorization server refused the attempt, and not in words that say that the login is over; another follows.", notRefreshing),
		outcome(EndpointGone,
			"There is no token endpoint where it was (404, 405, 410, a redirect); it is looked up before the next attempt.", notRefreshing),
		outcome(RefreshExhausted,
			"The attempt failed without spending the refresh token, as others have for minutes while no token works.", notRefreshing),
		limit("it stops waiting for this answer, and tries again after a pause",
			outcome(RefreshTimedOut, "The refresh did not end in time; its outcome is not known.", notRefreshing)),
		planned("it tries to renew the token again",
			outcome(RefreshRetryDue, "The pause after a failed refresh is over.", "no refresh is scheduled")),
		byUser(RetryRequested, "A user wants the next attempt now.", "no refresh is scheduled"),
		byUser(LoginRequested, "A user wants to log in.", "the credential must be loaded first, and the upstream must be one that has a login"),
		happening(LoginProposed,
			"A call needs a login and no user asked for it.", "no login is missing, or the token may yet come without one"),
		outcome(Discovered, "The authorization server is known.", notDiscovering),
		outcome(NotOAuth, "The server offers no OAuth login.", notDiscovering),
		outcome(DiscoveryFailed, "The authorization server could not be found or reached.", notDiscovering),
		outcome(Registered, "There is a client identity, a redirect address, and the flow is on disk.", notRegistering),
		outcome(RegistrationFailed, "Registration did not work this time.", notRegistering),
		outcome(RegistrationRejected, "The authorization server will not register this client.", notRegistering),
		outcome(ListenerFailed, "The redirect address cannot be listened on.", "no listener is being opened"),
		outcome(BrowserShown, "The browser was asked to show the page, with what became of it.", noBrowser),
		happening(CodeReceived, "The browser came back with an authorization code for the open flow.", noBrowser),
		happening(LoginDenied, "The browser came back with access_denied.", noBrowser),
		happening(LoginFailed, "The browser came back with another error, or with a response of the wrong issuer.", noBrowser),
		byUser(LoginCancelled, "A user gave the login up.", noBrowser),
		limit("it gives the login up, and a user has to begin another",
			outcome(LoginTimedOut, "The login was not completed in time.", noLogin)),
		happening(LoginAbandoned, "The login ended without a token, and the earlier token goes on.", noLogin),
		limit("it gives the login up, and goes on with the current token",
			outcome(LoginLapsed, "The login was not completed in time, and the earlier token goes on.", noLogin)),
		happening(OptionalLoginEnded, "The login ended without a token, and the server goes on without one, as before it.", noBrowser),
		limit("it gives the login up, and goes on without one, as before",
			outcome(OptionalLoginLapsed, "The login was not completed in time, and the server goes on without one, as before it.", noLogin)),
		outcome(LoginDelayed,
			"The authorization server could not take this step of the login now, and has spent nothing; another attempt follows.", noLogin),
		planned("it tries the login's step again",
			outcome(LoginRetryDue, "The pause before the login's next attempt is over.", "no login is delayed")),
		planned("it sends the code again, which was not spent",
			outcome(ExchangeRetryDue, "The pause before the code is sent again is over.", "no login is delayed")),
		outcome(CodeExchanged, "The token of a login is on disk.", notExchanging),
		outcome(ExchangeRejected, "The code could not be turned into a token; one that may have been spent is never sent again.", notExchanging),
		outcome(TokenSuperseded, "The store holds another token than the one that was to be replaced.", "no token was expected"),
		outcome(TokenUnsaved, "A token arrived and could not be written to disk.", "no token was expected"),
		outcome(DeviceFlowOpen, "A login with a device code was open when the process ended, and its deadline is still ahead.", notLoading),
		outcome(DeviceFlowBesideToken,
			"A login with a device code was open when the process ended, its deadline is still ahead, and requests are sent beside "+
				"it: with the stored token, or without one where the server had not asked for it.", notLoading),
		outcome(DeviceCodeIssued, "The authorization server has issued a device code, and the flow is on disk (RFC 8628).", notRegistering),
		happening(NonceDemanded,
			"The resource server wants its nonce in the proof that comes with the token, and has not carried the request out (RFC "+
				"9449 section 9).", noToken),
		outcome(TokenNonceDemanded,
			"The token endpoint wants its nonce in the proof, and has not carried the token request out (RFC 9449 section 8).",
			"no token request is under way"),
		happening(GrantDue, "A token is missing, and the configured grant needs no user.", "no token is missing"),
		planned("it obtains the next token by itself, while requests flow on the old one",
			outcome(GrantRenewDue, "The time has come to obtain the next token with a grant that needs no user.", noToken)),
		outcome(ClientIdentified, "There is a client identity for a grant that needs no user.", notRegistering),
		outcome(IdentityAsserted,
			"The enterprise's identity provider has exchanged the user's ID token for a grant, which the authorization server is "+
				"asked with next (ID-JAG).", noGrant),
		outcome(TokenGranted, "A token of a grant that needs no user is on disk.", noGrant),
		outcome(GrantRejected, "The authorization server will not give a token for the configured grant.", noGrant),
		limit("it gives this request up, and makes another after a pause",
			outcome(GrantFailed, "The grant did not work this time; another attempt follows.", noGrant)),
		planned("it requests a token again",
			outcome(GrantRetryDue, "The pause after a failed grant is over.", "no grant is scheduled")),
		byUser(LogoutRequested, "A user wants to log out.", closed),
		outcome(LogoutDone, "Nothing of the credential is left, here or, as far as it answered, at the server.", notLoggingOut),
		limit("it gives the logout up as failed",
			outcome(LogoutFailed, "The store could not be written.", notLoggingOut)),
		outcome(JobCrashed, "An internal error ended the job.", "no job is running"),
		happening(CredentialShutdown, "The upstream is removed, or the proxy goes down.", "the upstream is closed already"),
	}
}
