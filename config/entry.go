package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/upstream"
	"mcpproxy/upstream/child"
	"mcpproxy/userfile"

	"github.com/tailscale/hujson"
)

// entry reads one entry, checks each of its keys and then what they say together.
func (r *reader) entry(name string, v *hujson.Value) entry {
	e := entry{Config: upstream.Config{Name: shownName(name), Settings: states.DefaultSettings()}}
	if err := upstream.CheckName(name); err != nil {
		r.problem("", "%v", err)
	}
	fill(r, "", v, entryKeys(), &e)
	if _, ok := v.Value.(*hujson.Object); ok {
		r.transport(&e)
		r.login(&e)
	}
	if len(r.problems) == 0 && r.environment != nil {
		if err := e.Check(); err != nil { // as a text that is empty once its variables are replaced
			r.problem("", "%v", err)
		}
	}
	return e
}

// shownName is a name as it can be shown; one that a terminal might take for something
// else is quoted, which no valid name is.
func shownName(name string) string {
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(name)
	}
	return name
}

// transport is told by what is there: a url or a command.
func (r *reader) transport(e *entry) {
	e.Transport = upstream.HTTP
	given := func(key string) bool { return r.raw[key] != "" || r.failed[key] }
	switch {
	case given("url") && given("command"):
		r.problem("", "has both url and command; give one")
	case given("command"):
		e.Transport = upstream.Stdio
		r.notEmpty("command", e.Command)
	case given("url"):
		r.notEmpty("url", e.URL)
	case !r.unknown: // a key that is not known may be what is missing
		r.problem("", "needs url (a remote server) or command (a local one)")
	}
	switch remote := e.Transport == upstream.HTTP; {
	case e.kind != "" && remote == (e.kind == "stdio"):
		r.problem("type", "%q does not go with %s", e.kind, map[bool]string{true: "a url", false: "a command"}[remote])
	case e.kind == "sse":
		e.Transport = upstream.SSE
	}
	r.headers(e)
	r.argSecrets(e)
}

// argSecrets notes what the arguments have of the environment, but for what every child
// gets of it: keys mostly come this way.
func (r *reader) argSecrets(e *entry) {
	if r.environment == nil {
		return
	}
	for i := range e.Args {
		// what cannot be expanded is a problem already
		_, _ = expand(r.raw[fmt.Sprintf("args[%d]", i)], func(name string) (string, bool) {
			value, set := r.environment(name)
			if set && value != "" && !slices.Contains(child.Inherited(), name) {
				e.ArgSecrets = append(e.ArgSecrets, credential.NewSecret(value))
			}
			return value, set
		})
	}
}

// headers checks what the headers say together, and an Authorization whose variable is
// there and empty: a server would only say that it refuses it.
func (r *reader) headers(e *entry) {
	seen := map[string]string{}
	for name, value := range e.Headers {
		folded, key := strings.ToLower(name), "headers."+name
		if other, twice := seen[folded]; twice {
			r.problem("headers."+max(name, other), "is there twice, as %s too; the case of a header's name does not count", min(name, other))
		}
		seen[folded] = name
		scheme := strings.ToLower(strings.TrimSpace(value.Reveal()))
		if folded == "authorization" && slices.Contains([]string{"", "bearer", "basic", "token"}, scheme) && !r.failed[key] &&
			r.environment != nil {
			r.problem(key, "has no credential in it once its variables are replaced; give one, or leave the header out for a login with OAuth")
		}
	}
}

func (r *reader) notEmpty(key, value string) {
	if value == "" && !r.failed[key] && r.environment != nil {
		r.problem(key, "%q is empty once its variables are replaced", r.raw[key])
	}
}

// login reads what belongs to the login, and checks that it is complete.
func (r *reader) login(e *entry) {
	e.Settings.AutomaticLogin = e.login == "automatic"
	if e.OAuth.Resource != "" && e.OAuth.OmitResource {
		r.problem("oauth.resource", "is given, and oauth.omitResource sends none; give one of them")
	}
	grant := e.OAuth.Grant
	need := func(key, what string) {
		if r.raw[key] == "" && !r.failed[key] {
			r.problem(key, "is missing; the grant %s needs %s", grant, what)
		}
	}
	const client = "a client that is registered at the authorization server"
	switch grant {
	case upstream.ClientCredentials:
		need("oauth.clientId", client)
		if r.raw["oauth.privateKeyFile"] == "" {
			need("oauth.clientSecret", "this or oauth.privateKeyFile")
		}
	case upstream.WorkloadIdentity:
		need("oauth.assertionFile", "a file with the platform's JWT")
	case upstream.EnterpriseManaged:
		need("oauth.clientId", client)
		need("oauth.identityProvider.tokenEndpoint", "the identity provider's token endpoint")
		need("oauth.identityProvider.idTokenFile", "a file with the user's ID token")
	}
	if grant != upstream.WorkloadIdentity {
		e.OAuth.AssertionFile = ""
	}
	if grant != upstream.EnterpriseManaged {
		e.OAuth.IdentityProvider = upstream.IdentityProvider{}
	}
	r.client(e)
}

// client checks that a client that is registered beforehand can show who it is.
func (r *reader) client(e *entry) {
	switch {
	case e.privateKeyFile != "":
		text, err := userfile.Read(e.privateKeyFile)
		if err != nil {
			r.problem("oauth.privateKeyFile", "%v", err)
		}
		e.OAuth.PrivateKey = credential.NewSecret(string(text)) // it is kept in memory only
		if _, unfit := credential.ParseKey(e.OAuth.PrivateKey); err == nil && unfit != nil {
			r.problem("oauth.privateKeyFile", "%s: %v", e.privateKeyFile, unfit)
		}
	case e.OAuth.AuthMethod == "private_key_jwt" && e.OAuth.ClientID != "" && !r.failed["oauth.privateKeyFile"]:
		r.problem("oauth.privateKeyFile", "is missing; the client oauth.clientId signs with it (PEM, private_key_jwt)")
	}
	m, secret := e.OAuth.AuthMethod, "oauth.clientSecret"
	if !e.OAuth.ClientSecret.IsZero() && e.OAuth.ClientID == "" && !r.failed["oauth.clientId"] {
		r.problem(secret, "is the secret of a client that is registered beforehand; give its oauth.clientId too")
	}
	if strings.HasPrefix(m, "client_secret_") && e.OAuth.ClientID != "" && e.OAuth.ClientSecret.IsZero() && !r.failed[secret] {
		r.problem("oauth.tokenEndpointAuthMethod", "%s needs the secret of oauth.clientId; give it as oauth.clientSecret", m)
	}
}
