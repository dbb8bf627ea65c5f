package states

// What each state is for, in one sentence; tools and docs print them.
var (
	connectionDocs = map[State]string{
		Disconnected:       "Nobody wants the upstream.",
		AwaitingCredential: "The credential region is at work; the connection goes on when it has an answer.",
		AwaitingLogin:      "A person has to log in first; nothing is sent until then.",
		ConnectQueued:      "Its turn to connect is awaited: as many attempts are under way as the configuration allows.",
		Connecting:         "The transport is opened, the protocol agreed on and the lists are read.",
		Connected:          "Requests flow.",
		BackingOff:         "The last attempt failed; the next one is at a known time.",
		Failed:             "Trying again by itself would not help; a person or a new configuration has to.",
		Closed:             "The upstream was removed or the proxy is going down.",
	}
	credentialDocs = map[State]string{
		Unloaded:        "Nothing has asked for the credential yet.",
		LoadingToken:    "Token, open login, refresh intent and logout mark are read from the store.",
		NotNeeded:       "The configuration gives the credential, or the transport needs none.",
		Anonymous:       "There is no token, and the server has not asked for one yet.",
		Fresh:           "The token is good; it is renewed ahead of its expiry.",
		RefreshQueued:   "Its turn to renew the token is awaited: as many refreshes are under way as the configuration allows. Nothing was sent.",
		Refreshing:      "The refresh token is on its way to the authorization server; this can only be finished.",
		RefreshBackoff:  "The authorization server did not answer well; the next attempt is at a known time and the token is kept.",
		RefreshPaused:   "The refresh has failed for minutes while no token works; it goes on at intervals that grow, or when a call asks for it, and the token is kept.",
		Discovering:     "The authorization server is looked up: protected resource metadata, then its own metadata.",
		Registering:     "This client gets its identity at the authorization server, and the flow its redirect address.",
		AwaitingBrowser: "The authorization page is open or offered; the person's answer is awaited.",
		ExchangingCode:  "The authorization code is turned into a token; this can only be finished.",
		AwaitingDevice:  "The authorization page is to be opened on any device, and the code entered that is shown; the answer is polled for.",
		LoginBackoff:    "The authorization server could not take a step of the login now; the step is tried again at a known time, within the login's deadline.",
		RequestingToken: "A token is requested with a grant that needs no person; this can only be finished.",
		GrantBackoff:    "The grant that needs no person did not work this time; the next attempt is at a known time and a token that works is kept.",
		LoginRequired:   "A person has to log in; nothing runs and nothing is sent.",
		LoggingOut:      "The token is erased and revoked.",
		LoggedOut:       "A person logged out; this holds over restarts until a person logs in.",
		Failed:          "Trying again by itself would not help; a person or a new configuration has to.",
		Closed:          "The upstream was removed or the proxy is going down.",
	}
)

// Doc returns what the state of the region is for.
func Doc(region string, s State) string {
	if region == Connection {
		return connectionDocs[s]
	}
	return credentialDocs[s]
}
