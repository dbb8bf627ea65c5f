package upstream_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"
)

// No token, code, verifier, state or client secret appears in what is logged,
// journalled, shown or answered, through a whole life.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Clients: map[string]string{"known-client": "canary-client-secret"}},
		func(c *upstream.Config) {
			c.OAuth.ClientID, c.OAuth.ClientSecret = "known-client", credential.NewSecret("canary-client-secret")
		})
	secrets := map[string]string{"the client secret": "canary-client-secret"}
	var shown strings.Builder
	look := func() {
		s := r.up.Snapshot()
		if token := s.Data.Token; token != nil {
			secrets["an access token"+token.Access.Fingerprint()] = token.Access.Reveal()
			secrets["a refresh token"+token.Refresh.Fingerprint()] = token.Refresh.Reveal()
		}
		if flow := s.Data.Flow; flow != nil {
			secrets["a state"], secrets["a verifier"] = flow.State.Reveal(), flow.Verifier.Reveal()
		}
		text, err := json.Marshal(r.up.Status())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&shown, "%s\n%v\n%+v\n%#v\n", text, s, s.Data, s.Data)
	}
	page, outcome := r.openLogin()
	look()
	back := r.redirected(page)
	parsed, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	secrets["a code"] = parsed.Query().Get("code")
	release := r.keepListening(back)
	_, text := r.visit(back)
	shown.WriteString(text)
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	r.mustCall()
	look()
	_, text = r.visit(back) // late
	shown.WriteString(text)
	release()
	r.server.RevokeAccess()
	r.mustCall()
	look()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"})
	r.server.RevokeAccess()
	fmt.Fprintln(&shown, r.call())
	look()
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "malformed"})
	r.person = nil
	fmt.Fprintln(&shown, r.up.Login(r.context(), nil))
	look()
	r.stopped()
	journal, err := json.Marshal(r.entries())
	if err != nil {
		t.Fatal(err)
	}
	if len(secrets) < 8 {
		t.Errorf("only %d secrets were seen", len(secrets))
	}
	for place, text := range map[string]string{"log": r.logs.String(), "journal": string(journal),
		"status, pages and errors": shown.String()} {
		if len(text) < 1000 {
			t.Errorf("the %s has only %d bytes", place, len(text))
		}
		for name, secret := range secrets {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("%s (%d bytes) is in the %s", name, len(secret), place)
			}
		}
	}
	// On disk they are encrypted.
	file, err := os.ReadFile(r.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range secrets {
		if bytes.Contains(file, []byte(secret)) {
			t.Errorf("%s is readable in the store's file", name)
		}
	}
}

func (r *rig) entries() []fsm.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.journal)
}
