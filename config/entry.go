package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/upstream"
	"mcpproxy/userfile"

	"github.com/tailscale/hujson"
	"golang.org/x/net/http/httpguts"
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
	seen := map[string]string{}
	for name := range e.Headers {
		folded := strings.ToLower(name)
		if other, twice := seen[folded]; twice {
			r.problem("headers."+max(name, other), "is there twice, as %s too; the case of a header's name does not count", min(name, other))
		}
		seen[folded] = name
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
	switch {
	case e.privateKeyFile != "":
		text, err := userfile.Read(e.privateKeyFile)
		if err != nil {
			r.problem("oauth.privateKeyFile", "%v", err)
		}
		e.OAuth.PrivateKey = credential.NewSecret(string(text)) // it is kept in memory only
	case e.OAuth.AuthMethod == "private_key_jwt" && e.OAuth.ClientID != "" && !r.failed["oauth.privateKeyFile"]:
		r.problem("oauth.privateKeyFile", "is missing; the client oauth.clientId signs with it (PEM, private_key_jwt)")
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
		need("oauth.identityProvider.idTokenFile", "a file with the person's ID token")
	}
	if grant != upstream.WorkloadIdentity {
		e.OAuth.AssertionFile = ""
	}
	if grant != upstream.EnterpriseManaged {
		e.OAuth.IdentityProvider = upstream.IdentityProvider{}
	}
}

// checkURL repeats no address that may have a password in it.
func checkURL(raw, text string) error {
	const password = "has a user name or a password in it, and addresses are shown; give them as headers.Authorization"
	switch u, err := url.Parse(text); {
	case err != nil && strings.Contains(text, "@"):
		return errors.New("is not an http or https URL; write it as https://host/path")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q is not an http or https URL; write it as https://host/path", raw)
	case u.User != nil:
		return errors.New(password)
	}
	return nil
}

func checkHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return errors.New("is no header's name")
	}
	return nil
}

func checkVariableName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return errors.New("is no name of an environment variable")
	}
	return nil
}

// checkInherited says what names of variables to inherit have to be.
func checkInherited(_, text string) error {
	if name := strings.TrimSuffix(text, "*"); text == "" || strings.ContainsAny(name, "=*\x00") {
		return errors.New("is no name of an environment variable, which may end in *")
	}
	return nil
}

// checkClientMetadataURL says what a client id that is the address of a metadata
// document has to be (client ID metadata documents, section 3).
func checkClientMetadataURL(raw, text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%q is not an https URL", raw)
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(text, "#"):
		return errors.New("has user information or a fragment")
	case u.Path == "" || u.Path == "/":
		return fmt.Errorf("%q has no path", raw)
	}
	for _, segment := range strings.Split(u.Path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Errorf("%q has a dot segment in its path", raw)
		}
	}
	return nil
}
