package config

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"
)

// checkURL repeats no address that may have a password in it.
func checkURL(raw, text string) error {
	const password = "has a user name or a password in it, and addresses are shown; give them as headers.Authorization"
	unseen := strings.IndexFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) })
	switch u, err := url.Parse(text); {
	case err != nil && strings.Contains(text, "@"):
		return errors.New("is not an http or https URL; write it as https://host/path")
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q is not an http or https URL; write it as https://host/path", raw)
	case u.User != nil:
		return errors.New(password)
	case unseen >= 0:
		c, _ := utf8.DecodeRuneInString(text[unseen:])
		return fmt.Errorf("has a blank or a character that is not seen in it (%U, character %d); take it out, or write it as %%20 where it "+
			"is meant",
			c, utf8.RuneCountInString(text[:unseen])+1)
	case strings.Contains(text, "#"):
		return errors.New("has a fragment (#...), which is never sent to a server; take it out, or write %23 where it is meant")
	default:
		return checkPort(u.Port())
	}
}

func checkPort(port string) error {
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return fmt.Errorf("the port %s is not one from 1 to 65535", port)
	}
	return nil
}

func checkHeaderName(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return errors.New("is no header's name")
	}
	return ownHeader(name)
}

// ownHeader is an error for headers that each request has of its own.
func ownHeader(name string) error {
	switch http.CanonicalHeaderKey(name) {
	case "Host":
		return errors.New("is taken from the url")
	case "Connection", "Keep-Alive", "Transfer-Encoding", "Te", "Trailer", "Upgrade", "Content-Length", "Content-Encoding", "Accept-Encoding",
		"Mcp-Session-Id", "Mcp-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-Id", "Dpop":
		return errors.New("is the protocol's own, and is sent as each request needs it")
	}
	return nil
}

// checkAuthorizationParameter leaves to the login what it is known by: its answer would
// belong to none.
func checkAuthorizationParameter(name string) error {
	own := []string{"response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method", "request", "request_uri"}
	if slices.Contains(own, name) {
		return errors.New("is the protocol's own and may not be set (there are oauth.clientId, oauth.redirectHost and oauth.redirectPath)")
	}
	return nil
}

func checkVariableName(name string) error {
	if name == "" || strings.ContainsAny(name, "=\x00\uFFFD") {
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
