package upstream_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
)

// Where the authorization server takes signed assertions only, the dynamic client makes
// a key, registers its public half, and shows itself by it at each endpoint. The key
// lives as long as the registration: a restart keeps it, a logout erases it, and a client
// that was forgotten is registered with another one.
func TestDynamicClientsSignTheirAssertions(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ES256", "ES384", "ES512", "EdDSA", "PS256", "RS256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, SignedOnly: algorithm, PushRequired: algorithm == "EdDSA"}, nil)
			r.login()
			r.mustCall()
			first := r.newestClient()
			if first.AuthMethod != "private_key_jwt" || first.Algorithm != algorithm || first.Key.IsZero() || first.KeyID == "" {
				t.Fatalf("the registration is %+v", first)
			}
			r.loginExpired() // with the same client
			r.start()
			r.mustCall()
			if c := r.server.Counters(); c.Register != 0 || c.TokenRefresh != 1 {
				t.Errorf("after the restart: %+v", c)
			}
			if err := r.up.Logout(r.context()); err != nil {
				t.Fatal(err)
			}
			if c := r.server.Counters(); c.Revoke == 0 {
				t.Errorf("nothing was revoked: %+v", c)
			}
			r.stopped()
			r.stored(func(s *store.Store) {
				if all, err := s.Registrations(r.server.URL()); err != nil || len(all) != 0 {
					t.Errorf("after the logout there are %+v, %v", all, err)
				}
			})
			r.start()
			r.login()
			r.mustCall()
			second := r.newestClient()
			if second.ClientID == first.ClientID || second.Key.Reveal() == first.Key.Reveal() {
				t.Error("the key outlived the logout")
			}
			r.server.ForgetClients()
			if err := r.call(); err == nil {
				t.Fatal("a call without a grant succeeded")
			}
			r.awaitCredential(states.LoginRequired)
			r.login()
			r.mustCall()
			if now := r.newestClient(); now.ClientID == second.ClientID || now.Key.Reveal() == second.Key.Reveal() {
				t.Error("the forgotten client's key is used by another client")
			}
			r.tellsNoKey(first.Key)
			r.tellsNoKey(second.Key)
		})
	}
}

// The configuration may demand signed assertions where the server would do without them,
// and a client that was registered for less is not used then.
func TestConfigurationDemandsSignedAssertions(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	if c := r.newestClient(); c.AuthMethod != "none" {
		t.Fatalf("the registration is %+v", c)
	}
	r.stopped()
	r.config.OAuth.AuthMethod = "private_key_jwt"
	r.start()
	for range 2 { // the second one with the client of the first
		r.login()
		r.mustCall()
	}
	if c := r.newestClient(); c.AuthMethod != "private_key_jwt" || c.Key.IsZero() {
		t.Errorf("the registration is %+v", c)
	}
	if c := r.server.Counters(); c.Register != 2 {
		t.Errorf("registered %d times", c.Register)
	}
}

// newestClient is the dynamic client that was registered last.
func (r *rig) newestClient() credential.Registration {
	r.Helper()
	r.stopped()
	var newest credential.Registration
	r.stored(func(s *store.Store) {
		all, err := s.Registrations(r.server.URL())
		if err != nil || len(all) == 0 {
			r.Fatalf("registered are %+v, %v", all, err)
		}
		newest = all[0]
	})
	r.start()
	return newest
}

// tellsNoKey looks for a private key in all that comes out, and in the files.
func (r *rig) tellsNoKey(key credential.Secret) {
	r.Helper()
	block, _ := pem.Decode([]byte(key.Reveal()))
	status, err := json.Marshal(r.up.Status())
	if block == nil || err != nil {
		r.Fatal(block, err)
	}
	journal, err := json.Marshal(r.entries())
	if err != nil {
		r.Fatal(err)
	}
	file, err := os.ReadFile(r.path)
	if err != nil {
		r.Fatal(err)
	}
	for place, text := range map[string][]byte{"logs": []byte(r.logs.String()), "status": status, "journal": journal, "store": file} {
		if bytes.Contains(text, block.Bytes) {
			r.Errorf("the private key is in the %s", place)
		}
		for line := range strings.Lines(key.Reveal()) {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "---") && len(line) > 12 && bytes.Contains(text, []byte(line)) {
				r.Errorf("a line of the private key is in the %s", place)
			}
		}
	}
}
