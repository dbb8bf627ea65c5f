package config

import (
	"mcpproxy/upstream"
)

// key is one key of the document, and the one place that says that it is there: what
// it means, what its value has to be and where that goes. Validation, the table in the
// README and the schema (docs/schemas/config.json) come from it. A new key is one more
// row, and the field that the row points at.
type key[T any] struct {
	// path is where the key stands in its object, as oauth.login.
	path string
	// doc says what it means, in the README and the schema.
	doc string
	// into is what its value goes into; the pointer's type is what the value has to be:
	// *string, *bool, *int, *time.Duration, *[]string, *map[string]string, and
	// credential.Secret in place of string where it must not be shown.
	into func(*T) any
	constraints
}

// constraints are what a value has to be beyond its type.
type constraints struct {
	// values are those that a text may have; every one where there are none.
	values []string
	// least and most bound a number.
	least, most int
	// check says what is wrong with a text, which the file has raw, with its variables;
	// checkName says it of a name of a map, as "is no header's name".
	check     func(raw, text string) error
	checkName func(string) error
	// free texts may have line breaks and other control characters in them.
	free bool
	// file texts name files: ~/ at their beginning is the user's home.
	file bool
}

// entry is what an upstream's entry says: its configuration, and what that is made from.
type entry struct {
	upstream.Config
	kind, login, privateKeyFile string
	disabled                    bool
}

// entryKeys are the keys of an upstream's entry.
func entryKeys() []key[entry] {
	all := []key[entry]{
		{path: "url", doc: "a remote server's address", into: func(e *entry) any { return &e.URL }, constraints: constraints{check: checkURL}},
		{path: "type", doc: "how it is spoken to: `http` (streamable HTTP, the default for a `url`), `sse` or `stdio`",
			into: func(e *entry) any { return &e.kind }, constraints: constraints{values: []string{"http", "sse", "stdio", "streamable-http",
				"streamableHttp"}}},
		{path: "headers", doc: "sent with each request; an `Authorization` among them makes OAuth unnecessary",
			into: func(e *entry) any { return &e.Headers }, constraints: constraints{checkName: checkHeaderName}},
		{path: "command", doc: "a local server's program, spoken to over its standard streams",
			into: func(e *entry) any { return &e.Command }, constraints: constraints{file: true}},
		{path: "args", doc: "the program's arguments", into: func(e *entry) any { return &e.Args }, constraints: constraints{free: true}},
		{path: "env", doc: "variables of the program's environment", into: func(e *entry) any { return &e.Env },
			constraints: constraints{checkName: checkVariableName, free: true}},
		{path: "inheritEnv", doc: "variables that the program gets of the proxy's own environment beside `PATH`, `HOME` and the like: " +
			"names, `PREFIX_*`, or `*` for all",
			into: func(e *entry) any { return &e.InheritEnv }, constraints: constraints{check: checkInherited}},
		{path: "cwd", doc: "the directory that the program is started in", into: func(e *entry) any { return &e.Dir },
			constraints: constraints{file: true}},
		{path: "disabled", doc: "the upstream is not connected", into: func(e *entry) any { return &e.disabled }},
	}
	return append(append(all, oauthKeys()...), settingKeys()...)
}

// oauthKeys are those of the oauth object of an entry.
func oauthKeys() []key[entry] {
	return []key[entry]{
		{path: "oauth.disabled", doc: "a 401 is an error and never a reason to log in", into: func(e *entry) any { return &e.OAuth.Disabled }},
		{path: "oauth.login", doc: "`manual` (the default): only a user opens a browser. `automatic`: the proxy may",
			into: func(e *entry) any { return &e.login }, constraints: constraints{values: []string{"manual", "automatic"}}},
		{path: "oauth.browserInterval", doc: "how long an automatic login keeps the next one from being begun (`5m`)",
			into: func(e *entry) any { return &e.Settings.BrowserInterval }},
		{path: "oauth.loginTimeout", doc: "how long a login stays open (`5m`)", into: func(e *entry) any { return &e.Settings.LoginDeadline }},
		{path: "oauth.grant", doc: "how a token is obtained, the first by default", into: func(e *entry) any { return &e.OAuth.Grant },
			constraints: constraints{values: grants()}},
		{path: "oauth.clientId", doc: "a client that is registered beforehand; without one the proxy registers itself",
			into: func(e *entry) any { return &e.OAuth.ClientID }},
		{path: "oauth.clientSecret", doc: "that client's secret", into: func(e *entry) any { return &e.OAuth.ClientSecret }},
		{path: "oauth.privateKeyFile", doc: "the key that signs `private_key_jwt` assertions (PEM)",
			into: func(e *entry) any { return &e.privateKeyFile }, constraints: constraints{file: true}},
		{path: "oauth.keyId", doc: "that key's id", into: func(e *entry) any { return &e.OAuth.KeyID }},
		{path: "oauth.tokenEndpointAuthMethod", doc: "how the client authenticates at the token endpoint (without `oauth.clientId`, what " +
			"the proxy registers itself for; it makes the key of `private_key_jwt`)",
			into: func(e *entry) any { return &e.OAuth.AuthMethod }, constraints: constraints{values: upstream.AuthMethods()}},
		{path: "oauth.assertionFile", doc: "the platform's JWT, for `workload_identity`; read for each grant",
			into: func(e *entry) any { return &e.OAuth.AssertionFile }, constraints: constraints{file: true}},
		{path: "oauth.identityProvider.tokenEndpoint", doc: "the identity provider's token endpoint, for `enterprise_managed`",
			into: func(e *entry) any { return &e.OAuth.IdentityProvider.TokenEndpoint }, constraints: constraints{check: checkURL}},
		{path: "oauth.identityProvider.clientId", doc: "this client's id there",
			into: func(e *entry) any { return &e.OAuth.IdentityProvider.ClientID }},
		{path: "oauth.identityProvider.clientSecret", doc: "its secret there",
			into: func(e *entry) any { return &e.OAuth.IdentityProvider.ClientSecret }},
		{path: "oauth.identityProvider.idTokenFile", doc: "the user's ID token; read for each grant",
			into: func(e *entry) any { return &e.OAuth.IdentityProvider.IDTokenFile }, constraints: constraints{file: true}},
		{path: "oauth.dpop", doc: "asks for tokens that are bound to a key, also where the server does not demand it",
			into: func(e *entry) any { return &e.OAuth.DPoP }},
		{path: "oauth.scopes", doc: "asked for in place of what the server says", into: func(e *entry) any { return &e.OAuth.Scopes }},
		{path: "oauth.issuer", doc: "the only authorization server that is taken", into: func(e *entry) any { return &e.OAuth.Issuer },
			constraints: constraints{check: checkURL}},
		{path: "oauth.clientMetadataUrl", doc: "the client id, where the server takes client ID metadata documents",
			into: func(e *entry) any { return &e.OAuth.ClientMetadataURL }, constraints: constraints{check: checkClientMetadataURL}},
		{path: "oauth.callbackPort", doc: "the port of the redirect address; a free one by default",
			into: func(e *entry) any { return &e.OAuth.CallbackPort }, constraints: constraints{most: 65535}},
		{path: "oauth.authorizationParameters", doc: "added to the authorization request; an empty value leaves out a parameter that would " +
			"be sent otherwise, " +
			"as `{\"prompt\": \"\"}` does for a server that refuses `prompt`",
			into: func(e *entry) any { return &e.OAuth.AuthorizationParameters }, constraints: constraints{checkName: checkAuthorizationParameter}},
		{path: "oauth.refreshAttempts", doc: "how often a refusal in words that are not known is met before a login is required (3)",
			into: func(e *entry) any { return &e.Settings.RefreshAttempts }, constraints: constraints{least: 1, most: 10}},
		{path: "oauth.sendScopeOnRefresh", doc: "names the scopes at a refresh, for authorization servers that insist",
			into: func(e *entry) any { return &e.OAuth.SendScopeOnRefresh }},
		{path: "oauth.legacyFallback", doc: "uses default endpoints where there is no metadata at all (MCP 2025-03-26)",
			into: func(e *entry) any { return &e.OAuth.LegacyFallback }},
	}
}

// mostAtOnce is the highest limit of what connects or refreshes: beyond it file
// descriptors run out first. mostOpen is that of sessions and calls, mostMiB of memory.
const (
	mostAtOnce = 10_000
	mostOpen   = 1_000_000
	mostMiB    = 1 << 20
)

// documentKeys are the keys of the document beside mcpServers.
func documentKeys() []key[File] {
	return []key[File]{
		{path: "limits.connecting", doc: "connection attempts in all (64)", into: func(f *File) any { return &f.Limits.Connecting.Total },
			constraints: constraints{least: 1, most: mostAtOnce}},
		{path: "limits.connectingPerHost", doc: "connection attempts at one MCP server's host (16)",
			into: func(f *File) any { return &f.Limits.Connecting.PerHost }, constraints: constraints{least: 1, most: mostAtOnce}},
		{path: "limits.refreshing", doc: "refreshes in all (64)", into: func(f *File) any { return &f.Limits.Refreshing.Total },
			constraints: constraints{least: 1, most: mostAtOnce}},
		{path: "limits.refreshingPerHost", doc: "refreshes at one authorization server's host (8)",
			into: func(f *File) any { return &f.Limits.Refreshing.PerHost }, constraints: constraints{least: 1, most: mostAtOnce}},
		{path: "limits.callWait", doc: "how long a call waits for an upstream that is not ready (`30s`); one that runs at the server is not cut",
			into: func(f *File) any { return &f.Limits.CallWait }},
		{path: "limits.callsPerUpstream", doc: "calls under way to one upstream (2000)",
			into: func(f *File) any { return &f.Limits.CallsPerUpstream }, constraints: constraints{least: 1, most: mostOpen}},
		{path: "limits.callsPerSession", doc: "calls under way of one client's session (256)",
			into: func(f *File) any { return &f.Clients.CallsPerSession }, constraints: constraints{least: 1, most: mostOpen}},
		{path: "limits.abandonedAfter", doc: "for how long a session may have no connection until its calls are ended (`1m`)",
			into: func(f *File) any { return &f.Clients.AbandonedAfter }},
		{path: "limits.sessions", doc: "sessions of all clients (10000); the least recently used idle one makes room",
			into: func(f *File) any { return &f.Clients.Sessions }, constraints: constraints{least: 1, most: mostOpen}},
		{path: "limits.requestMiB", doc: "the bodies of all requests together, in MiB (256)",
			into: func(f *File) any { return &f.Clients.RequestMiB }, constraints: constraints{least: 64, most: mostMiB}},
		{path: "limits.queuedMiB", doc: "what waits to be read by all clients together, in MiB (256)",
			into: func(f *File) any { return &f.Clients.QueuedMiB }, constraints: constraints{least: 1, most: mostMiB}},
		{path: "limits.queuedPerClientMiB", doc: "what waits to be read by one client, in MiB (16)",
			into: func(f *File) any { return &f.Clients.QueuedPerClientMiB }, constraints: constraints{least: 1, most: mostMiB}},
	}
}

func grants() []string {
	var all []string
	for _, g := range upstream.Grants() {
		all = append(all, string(g))
	}
	return all
}
