package states

// Reason says why a person is needed, or why the credential failed.
type Reason string

// The reasons.
const (
	NeverLoggedIn      Reason = "NeverLoggedIn"
	TokenExpired       Reason = "TokenExpired"
	RefreshRejected    Reason = "RefreshRejected"
	RotationLost       Reason = "RotationLost"
	TokenRejected      Reason = "TokenRejected"
	ClientForgotten    Reason = "ClientForgotten"
	ClientRejected     Reason = "ClientRejected"
	LoginDenied        Reason = "LoginDenied"
	LoginTimedOut      Reason = "LoginTimedOut"
	LoginCancelled     Reason = "LoginCancelled"
	LoginFailed        Reason = "LoginFailed"
	DiscoveryFailed    Reason = "DiscoveryFailed"
	RegistrationFailed Reason = "RegistrationFailed"
	ListenerFailed     Reason = "ListenerFailed"
	ExchangeFailed     Reason = "ExchangeFailed"
	NotOAuth           Reason = "NotOAuth"
	StoreCorrupt       Reason = "StoreCorrupt"
	StoreFailed        Reason = "StoreFailed"
	StaticRefused      Reason = "StaticRefused"
	Crashed            Reason = "Crashed"
	GrantRejected      Reason = "GrantRejected"
)

// Doc returns the reason in one sentence for the person who has to act.
func (r Reason) Doc() string { return reasonDocs[r] }

// Reasons returns all reasons in a fixed order.
func Reasons() []Reason {
	return []Reason{NeverLoggedIn, TokenExpired, RefreshRejected, RotationLost, TokenRejected, ClientForgotten, ClientRejected,
		LoginDenied, LoginTimedOut, LoginCancelled, LoginFailed, DiscoveryFailed, RegistrationFailed, ListenerFailed,
		ExchangeFailed, NotOAuth, StoreCorrupt, StoreFailed, StaticRefused, Crashed, GrantRejected}
}

var reasonDocs = map[Reason]string{
	NeverLoggedIn:      "The server wants a login and nobody has logged in yet.",
	TokenExpired:       "The access token has expired and there is no refresh token to renew it with.",
	RefreshRejected:    "The authorization server no longer takes the refresh token (expired or revoked there).",
	RotationLost:       "A refresh was sent and its answer was lost; the authorization server did not take the refresh token a second time.",
	TokenRejected:      "The server refuses tokens that its authorization server has only just issued, so that renewing again would not help.",
	ClientForgotten:    "The authorization server no longer knows this client; the next login registers it anew.",
	ClientRejected:     "The authorization server does not accept the configured client; check oauth.clientId and oauth.clientSecret.",
	LoginDenied:        "The login was declined at the authorization server.",
	LoginTimedOut:      "The login was not completed in time.",
	LoginCancelled:     "The login was cancelled.",
	LoginFailed:        "The authorization server ended the login with an error.",
	DiscoveryFailed:    "The authorization server could not be found or reached.",
	RegistrationFailed: "This client could not be registered at the authorization server.",
	ListenerFailed:     "The local address for the end of the login could not be listened on.",
	ExchangeFailed:     "The authorization code could not be turned into a token.",
	NotOAuth:           "The server refuses requests without offering an OAuth login; it may want a static header (headers.Authorization in the configuration).",
	StoreCorrupt:       "The stored credential is damaged; it was left as it is.",
	StoreFailed:        "The store could not be read or written.",
	StaticRefused:      "The server refuses the credential that the configuration gives it.",
	GrantRejected:      "The authorization server does not accept the configured grant; check oauth.grant and what belongs to it.",
	Crashed:            "An internal error ended the work; the journal has it.",
}
