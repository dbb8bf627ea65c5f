package upstream

import (
	"net/url"
	"reflect"
	"strings"

	"mcpproxy/credential"
	"mcpproxy/states"
)

// Transport is how an upstream is spoken to.
type Transport string

// The transports.
const (
	HTTP  Transport = "http"  // streamable HTTP (MCP 2025-03-26 and later)
	SSE   Transport = "sse"   // HTTP with server-sent events (MCP 2024-11-05)
	Stdio Transport = "stdio" // a child process
)

// Config is one upstream as the configuration file has it. It is a value and
// must not be changed once it was given to a Manager. A Name and a URL or a Command are
// enough; [Check] says what cannot be used.
type Config struct {
	Name string
	// Transport is told by URL (HTTP) or Command (Stdio) where it is empty.
	Transport Transport
	// URL of the MCP endpoint, for HTTP and SSE.
	URL string
	// Headers are sent with each request. An Authorization header among them
	// makes OAuth unnecessary.
	Headers map[string]credential.Secret
	// Command, Args, Env and Dir start the child process, for Stdio. InheritEnv names
	// variables that it gets beside those that every child gets (child.Environment).
	Command    string
	Args       []string
	Env        map[string]credential.Secret
	InheritEnv []string
	Dir        string
	// ArgSecrets are the parts of Args that are not shown where the child prints them.
	ArgSecrets []credential.Secret

	OAuth OAuth
	// Problem is why the entry cannot be used, in words; empty for one that can.
	Problem string
	// Settings are the deciding parts; without any, but AutomaticLogin, they are
	// [states.DefaultSettings].
	Settings states.Settings
}

// OAuth is what the configuration says about the login of one upstream. The zero
// value discovers everything.
type OAuth struct {
	// Grant is how a token is come by; empty means [AuthorizationCode].
	Grant Grant
	// AssertionFile holds the JWT of [WorkloadIdentity]; it is read for each grant.
	AssertionFile string
	// IdentityProvider belongs to [EnterpriseManaged].
	IdentityProvider IdentityProvider
	// PrivateKey, as PEM, and KeyID sign the assertions of private_key_jwt.
	PrivateKey credential.Secret
	KeyID      string
	// DPoP asks for tokens that are bound to a key (RFC 9449), also where the server
	// does not demand it.
	DPoP bool
	// Disabled: a 401 is an error and never a reason to log in.
	Disabled     bool
	ClientID     string
	ClientSecret credential.Secret
	// AuthMethod is the token_endpoint_auth_method for ClientID, or, without one, what the
	// dynamic client is registered for; of private_key_jwt it makes its key itself.
	AuthMethod string
	// Scopes override what the challenge and the metadata say.
	Scopes []string
	// Issuer, if set, is the only authorization server that is used.
	Issuer string
	// ClientMetadataURL is the client_id to use where the server takes client ID
	// metadata documents.
	ClientMetadataURL string
	// CallbackPort is the loopback port of the redirect address; 0 takes a free one.
	CallbackPort int
	// AuthorizationParameters are added to the authorization request.
	AuthorizationParameters map[string]string
	// SendScopeOnRefresh and OmitResource suit authorization servers that insist.
	SendScopeOnRefresh bool
	OmitResource       bool
	// The settings of package oauth (see [oauth.Guides]).
	AssumePKCE        bool
	MetadataIssuer    string
	RedirectHost      string
	RedirectPath      string
	Resource          string
	TokenParameters   map[string]string
	OmitOfflineAccess bool
	AssertionAudience string
	// LegacyFallback uses default endpoints where there is no metadata at all
	// (MCP 2025-03-26).
	LegacyFallback bool
}

// usesOAuth reports whether a login may be needed at all.
func (c *Config) usesOAuth() bool {
	if c.Transport == Stdio || c.OAuth.Disabled {
		return false
	}
	for name := range c.Headers {
		if strings.EqualFold(name, "Authorization") {
			return false
		}
	}
	return true
}

// origin is the scheme and host that tokens may be sent to; neither where the
// address cannot be read.
func (c *Config) origin() url.URL {
	u, err := url.Parse(c.URL)
	if err != nil {
		return url.URL{}
	}
	return url.URL{Scheme: u.Scheme, Host: u.Host}
}

// Equal reports whether two configurations of an upstream are the same, so that
// a reload need not touch it.
func (c *Config) Equal(other *Config) bool { return reflect.DeepEqual(c, other) }
