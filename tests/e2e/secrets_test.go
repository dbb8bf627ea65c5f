package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mcpproxy/tests/oauthserver"
)

// secret is the form of everything secret that the test server gives out.
var secret = regexp.MustCompile(`\b(at|rt|code|secret)-[A-Z2-7]{26}\b`)

// canary is a secret of the configuration.
const canary = "canary-6f1d2c7b9e"

// No token, code or configured secret is in a log, dump, history, status or
// file, through logins, renewals, failures and a restart.
func TestNoSecretIsPrinted(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true, Clients: map[string]string{"known": canary}})
	m.configure(`{"mcpServers": {"u": {"url": "` + m.server.MCPURL() + `", "oauth": {"clientId": "known", "clientSecret": "${CANARY}"}}}}`)
	m.environment = append(m.environment, "CANARY="+canary)
	m.start("-v", "--browser", m.browser())
	var printed strings.Builder
	look := func() {
		for _, args := range [][]string{{"mcpproxy", "auth", "status", "--json"}, {"mcpproxy", "upstream", "list"}, {"statectl", "dump"},
			{"statectl", "dump", "--json"}, {"statectl", "history", "u"}, {"statectl", "history", "u", "--json"},
			{"statectl", "explain", "u"}, {"statectl", "explain", "u", "--json"}, {"statectl", "stats", "u"}, {"statectl", "graph", "u"}, {"statectl", "graph", "u", "--format", "dot"}, {"statectl", "replay"}} {
			_, out, errs := m.run(args[0], args[1:]...)
			printed.WriteString(out + errs)
		}
	}
	m.login()
	if err := m.call(); err != nil {
		t.Fatal(err)
	}
	look()
	m.server.RevokeAccess()
	if err := m.call(); err != nil {
		t.Fatal(err)
	}
	m.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-client", Count: 1},
		oauthserver.Fault{Endpoint: "token", Kind: "malformed"})
	m.server.RevokeAccess()
	fmt.Fprintln(&printed, m.call())
	look()
	code, out, errs := m.run("mcpproxy", "auth", "login", "u", "-v", "--browser", m.browser())
	fmt.Fprintln(&printed, code, out, errs)
	look()
	m.kill()
	look() // the store of a stopped proxy
	for place, text := range map[string]string{"log": m.logs.String(), "commands' output": printed.String()} {
		if len(text) < 2000 {
			t.Errorf("the %s has only %d bytes", place, len(text))
		}
		if found := secret.FindString(text); found != "" || strings.Contains(text, canary) {
			t.Errorf("a secret is in the %s: %q", place, found)
		}
	}
	files, err := os.ReadDir(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !file.Type().IsRegular() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(m.dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if found := secret.Find(content); found != nil || bytes.Contains(content, []byte(canary)) {
			t.Errorf("a secret is readable in %s: %q", file.Name(), found)
		}
	}
}

// The form is that of what the server really gives out.
func TestSecretsHaveTheFormThatIsSearchedFor(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	_, page, _, _ := m.openLogin("--no-browser")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if back := response.Header.Get("Location"); !secret.MatchString(back) {
		t.Errorf("%s has no %s", back, secret)
	}
}
