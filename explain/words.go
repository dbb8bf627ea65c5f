package explain

import (
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// What comes of each state, or what it waits for. What a state is itself stands in
// package states.
var (
	connectionNext = map[states.State]string{
		states.Disconnected:       "It stays so until somebody connects it, or the proxy starts anew.",
		states.AwaitingCredential: "It connects as soon as the credential is there.",
		states.AwaitingLogin:      "It connects by itself once somebody has logged in.",
		states.ConnectQueued:      "It connects when its turn comes, which is when another attempt has ended.",
		states.Connecting:         "It is connected once the server has answered; an attempt that fails is repeated after a pause.",
		states.Connected:          "It stays connected; a connection that breaks is opened again by itself.",
		states.BackingOff:         "It goes on trying, with pauses that grow, longer where many are down; a call tries at once.",
		states.Failed:             "It stays so until somebody connects it or its configuration changes.",
		states.Closed:             "It is over; a proxy that has the upstream in its configuration begins anew.",
	}
	credentialNext = map[states.State]string{
		states.Unloaded:        "The credential is read once the upstream is wanted.",
		states.LoadingToken:    "A token that is found is used or renewed, and an open login goes on; without either the server is asked without a token.",
		states.NotNeeded:       "It stays as the configuration has it.",
		states.Anonymous:       "Requests carry no token until the server asks for a login.",
		states.Fresh:           "The token is in use.",
		states.RefreshQueued:   "The token is kept, and used while it works; it is renewed when its turn comes, which is when another refresh has ended.",
		states.Refreshing:      "The new token is used once it is on disk. Should the authorization server refuse the refresh token, a person has to log in; should it not answer, another attempt follows.",
		states.RefreshBackoff:  "The token is kept, and used while it works.",
		states.RefreshPaused:   "The token is kept; the attempts go on until one is answered, and a call makes one at once.",
		states.Discovering:     "The login page follows once the authorization server is found.",
		states.Registering:     "The login page follows once the client is registered.",
		states.AwaitingBrowser: "It goes on when the page is completed. Asking for the login again shows the same page, and begins no other.",
		states.ExchangingCode:  "It is logged in once the authorization server has answered.",
		states.AwaitingDevice:  "It goes on when the code is entered on the page. Asking for the login again shows the same code.",
		states.LoginBackoff:    "The step is tried again until it works or the login's time is over.",
		states.RequestingToken: "The token is used once it is on disk.",
		states.GrantBackoff:    "The token is requested again by itself until the authorization server answers.",
		states.LoginRequired:   "It stays so, and nothing is sent, until a person logs in.",
		states.LoggingOut:      "It is logged out once the token is erased here; the authorization server is asked once to revoke it.",
		states.LoggedOut:       "It stays so, over restarts too, until a person logs in.",
		states.Failed:          "It stays so until the cause is mended and somebody tries again.",
		states.Closed:          "It is over; a proxy that has the upstream in its configuration begins anew.",
	}
)

// timerWords say what a timer will do.
type timerWords struct {
	when When
	text string
}

var timers = map[transitions.Event]timerWords{
	transitions.CredentialOverdue:   {By, "it stops waiting for the credential, and asks again after a pause"},
	transitions.ConnectTurnOverdue:  {By, "it asks for its turn anew, with the credential that there is by then"},
	transitions.ConnectTimedOut:     {By, "it gives this attempt up, and makes another after a pause"},
	transitions.ReconnectDue:        {At, "it tries to connect again"},
	transitions.LoadTimedOut:        {By, "it gives reading the store up"},
	transitions.RenewDue:            {At, "it renews the token, while requests flow on the old one"},
	transitions.GrantRenewDue:       {At, "it obtains the next token by itself, while requests flow on the old one"},
	transitions.ExpiryReached:       {At, "the access token expires, and without a refresh token a person has to log in"},
	transitions.RefreshTurnOverdue:  {By, "it asks for its turn anew, with the token that is stored by then"},
	transitions.RefreshTimedOut:     {By, "it stops waiting for this answer, and tries again after a pause"},
	transitions.RefreshRetryDue:     {At, "it tries to renew the token again"},
	transitions.LoginTimedOut:       {By, "it gives the login up, and a person has to begin another"},
	transitions.LoginLapsed:         {By, "it gives the login up, and goes on with the token of before"},
	transitions.OptionalLoginLapsed: {By, "it gives the login up, and goes on without one, as before"},
	transitions.LoginRetryDue:       {At, "it tries the login's step again"},
	transitions.ExchangeRetryDue:    {At, "it sends the code again, which was not spent"},
	transitions.TokenLapsed:         {At, "the access token expires, and calls wait for what replaces it"},
	transitions.GrantFailed:         {By, "it gives this request up, and makes another after a pause"},
	transitions.GrantRetryDue:       {At, "it requests a token again"},
	transitions.LogoutFailed:        {By, "it gives the logout up as failed"},
}

// calls says what becomes of a call that is made now.
var calls = map[transitions.Outlook]string{
	transitions.Serves:       "A call is sent on at once.",
	transitions.OnItsWay:     "A call waits, within its own deadline, until the upstream can take it.",
	transitions.NeedsPerson:  "A call fails at once and says which command to run.",
	transitions.RenewalFails: "A call has the token renewed once more and waits for that; if it fails, the call does, and says when the next attempt is due.",
	transitions.Unwanted:     "A call fails at once and says how to connect the upstream.",
	transitions.Broken:       "A call fails at once and says what has to be mended.",
	transitions.Gone:         "A call fails at once.",
}
