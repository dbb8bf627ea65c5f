package states

// Reason says why a user is needed, or why the credential failed.
type Reason string

// The reasons.
const (
	NeverLoggedIn      Reason = "NeverLoggedIn"
	TokenExpired       Reason = "TokenExpired"
	RefreshRejected    Reason = "RefreshRejected"
	RotationLost       Reason = "RotationLost"
	AnswerUnreadable   Reason = "AnswerUnreadable"
	TokenRejected      Reason = "TokenRejected"
	ClientForgotten    Reason = "ClientForgotten"
	ClientRejected     Reason = "ClientRejected"
	LoginDenied        Reason = "LoginDenied"
	LoginTimedOut      Reason = "LoginTimedOut"
	LoginCancelled     Reason = "LoginCancelled"
	LoginFailed        Reason = "LoginFailed"
	DiscoveryFailed    Reason = "DiscoveryFailed"
	ServerUnsuitable   Reason = "ServerUnsuitable"
	RegistrationFailed Reason = "RegistrationFailed"
	ListenerFailed     Reason = "ListenerFailed"
	ExchangeFailed     Reason = "ExchangeFailed"
	NotOAuth           Reason = "NotOAuth"
	StoreCorrupt       Reason = "StoreCorrupt"
	StoreFailed        Reason = "StoreFailed"
	StaticRefused      Reason = "StaticRefused"
	Crashed            Reason = "Crashed"
	GrantRejected      Reason = "GrantRejected"
	EntryInvalid       Reason = "EntryInvalid"
)

// Doc returns the reason in one sentence for the user who has to act.
func (r Reason) Doc() string { return reasonDocs[r] }

// Mend says what has to be put right before anything else helps.
func (r Reason) Mend() string { return reasonMends[r] }

// Reasons returns all reasons in a fixed order.
func Reasons() []Reason {
	return []Reason{NeverLoggedIn, TokenExpired, RefreshRejected, RotationLost, AnswerUnreadable, TokenRejected, ClientForgotten,
		ClientRejected,
		LoginDenied, LoginTimedOut, LoginCancelled, LoginFailed, DiscoveryFailed, ServerUnsuitable, RegistrationFailed, ListenerFailed,
		ExchangeFailed, NotOAuth, StoreCorrupt, StoreFailed, StaticRefused, Crashed, GrantRejected, EntryInvalid}
}

var reasonDocs = map[Reason]string{
	NeverLoggedIn:      "The server wants a login and nobody has logged in yet.",
	TokenExpired:       "The access token has expired and there is no refresh token to renew it with.",
	RefreshRejected:    "The authorization server no longer takes the refresh token (expired or revoked there).",
	RotationLost:       "A refresh was sent and its answer was lost; the authorization server did not take the refresh token a second time.",
	AnswerUnreadable:   "The authorization server took the refresh token, and its answer holds no token that can be used.",
	TokenRejected:      "The server refuses tokens that its authorization server has only just issued, so that renewing again would not help.",
	ClientForgotten:    "The authorization server no longer knows this client; the next login registers it again.",
	ClientRejected:     "The authorization server does not accept the configured client; check oauth.clientId and oauth.clientSecret.",
	LoginDenied:        "The login was declined at the authorization server.",
	LoginTimedOut:      "The login was not completed in time.",
	LoginCancelled:     "The login was cancelled.",
	LoginFailed:        "The authorization server ended the login with an error.",
	DiscoveryFailed:    "The authorization server could not be found or reached.",
	ServerUnsuitable:   "The authorization server was found, and lacks or contradicts something that a login needs.",
	RegistrationFailed: "This client could not be registered at the authorization server.",
	ListenerFailed:     "The local address for the end of the login could not be listened on.",
	ExchangeFailed:     "The authorization code could not be turned into a token.",
	NotOAuth: "The server refuses requests without offering an OAuth login; it may want a static header (headers.Authorization " +
		"in the configuration).",
	StoreCorrupt:  "The stored credential is damaged; it was left as it is.",
	StoreFailed:   "The store could not be read or written.",
	StaticRefused: "The server refuses the credential that the configuration gives it.",
	GrantRejected: "The authorization server does not accept the configured grant; check oauth.grant and what belongs to it.",
	EntryInvalid:  "Its entry in the configuration cannot be used.",
	Crashed:       "An internal error ended the work; the journal has it.",
}

var reasonMends = map[Reason]string{
	NeverLoggedIn: "Log in once. The token is kept over restarts and renewed by itself.",
	TokenExpired: "Log in again. Where this comes back at each expiry, the authorization server gives out no refresh tokens; many " +
		"do when they are asked for the scope offline_access (oauth.scopes).",
	RefreshRejected: "Log in again. Nothing else helps: the grant has ended at the authorization server, by its age or because " +
		"someone revoked it there.",
	RotationLost: "Log in again. The authorization server replaced the refresh token and its answer got lost, in the network or " +
		"with the process; a refresh token that comes twice looks like a stolen one to it.",
	AnswerUnreadable: "Log in again. The refresh token is spent and is not sent a second time. Where this comes back, show the last " +
		"failure to whoever runs the authorization server: its answer is not what RFC 6749 section 5.1 asks for.",
	TokenRejected: "Have the server and its authorization server agree first: that the token is meant for this server (its audience " +
		"or resource), that its scopes will do (oauth.scopes), that both clocks are right. Then log in again.",
	ClientForgotten: "Log in again. The client is registered again on the way.",
	ClientRejected: "Correct oauth.clientId, oauth.clientSecret or oauth.tokenEndpointAuthMethod in the configuration; the change is " +
		"taken up at once.",
	LoginDenied: "Log in again and agree on the page. Where it was declined without a question, the account may not use this server.",
	LoginTimedOut: "Log in again and complete the page in time (oauth.loginTimeout). Where the page showed an error and no form, " +
		"the next login registers this client again.",
	LoginCancelled: "Log in when you want to go on.",
	LoginFailed:    "Log in again. Where it fails the same way, ask whoever runs the authorization server about the error that it gave.",
	DiscoveryFailed: "See that the upstream's address is right and that its authorization server answers (a page instead of a " +
		"document is theirs to mend), and log in again.",
	ServerUnsuitable: "Where the last failure names a key of the configuration (oauth.…), ask whether the server is meant to be so, " +
		"set the key and log in again. Otherwise it is the server's to mend.",
	RegistrationFailed: "Where the authorization server registers nobody, register a client there by hand and give it as oauth.clientId; " +
		"otherwise log in again.",
	ListenerFailed: "End the program that holds the port, or set oauth.callbackPort to another one, or to 0 for any; then log in again.",
	ExchangeFailed: "Log in again: a code is good once. Where it fails the same way, the last failure has what the authorization " +
		"server said.",
	NotOAuth: "Give the server what it wants in place of a login, mostly headers.Authorization in the configuration; or " +
		"correct the address, if it should have a login.",
	StoreCorrupt: "Put a copy of the store back, or erase the damaged record with the logout and log in again. The record is left " +
		"as it is until then.",
	StoreFailed: "See that the disk has room and that the store can be read and written, then try again.",
	StaticRefused: "Correct headers.Authorization in the configuration, or the environment variable that it takes its value from; " +
		"the change is taken up at once.",
	EntryInvalid: "Correct the entry; the change is taken up at once. A variable has to be set where the proxy is started, which " +
		"is then restarted. `mcpproxy config check` shows all problems of the file.",
	Crashed: "Try again. Where it comes back, report it together with what `statectl history` prints.",
	GrantRejected: "Correct oauth.grant and what belongs to it (oauth.clientId, oauth.clientSecret, the files that it reads); the " +
		"change is taken up at once.",
}
