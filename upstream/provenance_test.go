package upstream_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"

	"github.com/google/go-cmp/cmp"
)

// The facts about a token say how it was come by, whose it is and what it is bound to,
// and the journal says so of each step on the way to it.
func TestTokenFactsSayWhereItComesFrom(t *testing.T) {
	confidential := oauthserver.Options{AutoApprove: true, Clients: map[string]string{"box": "s3cret"}}
	for _, test := range []struct {
		name   string
		server oauthserver.Options
		config upstream.OAuth
		want   status.Token
		notes  []string
	}{
		{
			name: "a registered client", server: oauthserver.Options{AutoApprove: true},
			want: status.Token{Type: "Bearer", Grant: "authorization_code",
				Client: &status.Client{Registration: "dynamic", Authentication: "none"}, HasRefreshToken: true},
			notes: []string{"resource metadata that the challenge named", "client dynamic, authentication none, for mcp", "token generation 1"},
		},
		{
			name: "a metadata document", server: oauthserver.Options{AutoApprove: true},
			config: upstream.OAuth{ClientMetadataURL: clientDocument(t)},
			want: status.Token{Type: "Bearer", Grant: "authorization_code",
				Client: &status.Client{Registration: "client-id-metadata-document", Authentication: "none"}, HasRefreshToken: true},
			notes: []string{"client client-id-metadata-document, authentication none"},
		},
		{
			name: "a configured client with a secret in the header", server: confidential,
			config: upstream.OAuth{ClientID: "box", ClientSecret: credential.NewSecret("s3cret")},
			want: status.Token{Type: "Bearer", Grant: "authorization_code",
				Client: &status.Client{Registration: "pre-registered", Authentication: "client_secret_basic"}, HasRefreshToken: true},
			notes: []string{"client pre-registered, authentication client_secret_basic"},
		},
		{
			name: "and with it in the body", server: confidential,
			config: upstream.OAuth{ClientID: "box", ClientSecret: credential.NewSecret("s3cret"), AuthMethod: "client_secret_post"},
			want: status.Token{Type: "Bearer", Grant: "authorization_code",
				Client: &status.Client{Registration: "pre-registered", Authentication: "client_secret_post"}, HasRefreshToken: true},
			notes: []string{"client pre-registered, authentication client_secret_post"},
		},
		{
			name: "the client's own credentials", server: confidential,
			config: upstream.OAuth{Grant: upstream.ClientCredentials, ClientID: "box", ClientSecret: credential.NewSecret("s3cret")},
			want: status.Token{Type: "Bearer", Grant: "client_credentials",
				Client: &status.Client{Registration: "pre-registered", Authentication: "client_secret_basic"}},
			notes: []string{"client pre-registered, authentication client_secret_basic"},
		},
		{
			name: "a workload's identity", server: oauthserver.Options{Identities: []string{"the platform's JWT"}},
			config: upstream.OAuth{Grant: upstream.WorkloadIdentity, AssertionFile: file(t, "the platform's JWT")},
			want:   status.Token{Type: "Bearer", Grant: "workload_identity"},
			notes:  []string{"authentication none, for mcp"},
		},
		{
			name: "an enterprise's sign-on", server: oauthserver.Options{Clients: map[string]string{"box": "s3cret", "person": ""},
				Identities: []string{"the ID token"}},
			config: upstream.OAuth{Grant: upstream.EnterpriseManaged, ClientID: "box", ClientSecret: credential.NewSecret("s3cret"),
				IdentityProvider: upstream.IdentityProvider{ClientID: "person", IDTokenFile: file(t, "the ID token")}},
			want: status.Token{Type: "Bearer", Grant: "enterprise_managed",
				Client: &status.Client{Registration: "pre-registered", Authentication: "client_secret_basic"}},
			notes: []string{"client pre-registered, authentication client_secret_basic"},
		},
		{
			name: "a token that is bound to a key", server: oauthserver.Options{AutoApprove: true, ProofRequired: true},
			want: status.Token{Type: "DPoP", Grant: "authorization_code", Client: &status.Client{Registration: "dynamic", Authentication: "none"},
				HasRefreshToken: true},
			notes: []string{"for mcp, to be bound to a key", "token generation 1, bound to a key"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.server, func(c *upstream.Config) {
				c.OAuth, c.Settings.Unattended = test.config, test.config.Grant.Unattended()
				c.OAuth.IdentityProvider.TokenEndpoint = strings.TrimSuffix(c.URL, "/mcp") + "/token"
			})
			r.mayLogIn()
			r.mustCall()
			token := r.up.Snapshot().Data.Token
			got := status.OfToken(token)
			test.want.Generation, test.want.Issuer, test.want.Resource, test.want.Scopes, test.want.Revocable = 1, r.server.URL(),
				r.server.MCPURL(), []string{"mcp"}, true
			test.want.ObtainedAt, test.want.ExpiresAt, test.want.Fingerprint = token.ObtainedAt, &token.ExpiresAt, token.Access.Fingerprint()
			if test.want.Client != nil {
				test.want.Client.ID = token.ClientID
			}
			test.want.BoundTo = credential.Thumbprint(token.Key)
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("the facts (-want +got):\n%s", diff)
			}
			if (got.BoundTo != "") != (got.Type == "DPoP") {
				t.Errorf("a %s token is bound to %q", got.Type, got.BoundTo)
			}
			for _, note := range test.notes {
				r.wantNote(note)
			}
			if test.config.Grant == upstream.EnterpriseManaged {
				r.wantEntry("IdentityAsserted", func(e fsm.Entry) bool {
					return e.Event == string(transitions.IdentityAsserted) && e.Disposition == fsm.Updated
				})
			}
			r.restart()
			r.mustCall()
			if again := status.OfToken(r.up.Snapshot().Data.Token); cmp.Diff(got, again) != "" {
				t.Errorf("after a restart the facts differ:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// file is a file that holds a secret.
func file(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// clientDocument is the address of a document about a client that may come back to any
// port of this machine.
func clientDocument(t *testing.T) string {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// the server went away
		_ = json.NewEncoder(w).Encode(map[string]any{"client_id": s.URL + "/client", "client_name": "a client",
			"redirect_uris": []string{"http://127.0.0.1/callback"}})
	}))
	t.Cleanup(s.Close)
	return s.URL + "/client"
}

// A refresh that grants less than was asked for is no error: what is missing shows, calls
// that need no more go on, one that does says what it lacks, and a user's login asks
// for all of it again (RFC 6749 section 6).
func TestNarrowedScopeShows(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, func(c *upstream.Config) { c.OAuth.Scopes = []string{"mcp", "mcp:admin"} })
	r.login()
	r.mustCall()
	if facts := status.OfToken(r.up.Snapshot().Data.Token); len(facts.Withheld) != 0 {
		t.Errorf("withheld from the start: %q", facts.Withheld)
	}
	r.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "narrow", Grant: "refresh_token"})
	r.server.RevokeAccess()
	r.mustCall()
	want := status.Token{Scopes: []string{"mcp"}, Withheld: []string{"mcp:admin"}}
	if facts := r.up.Status().Token; !slices.Equal(facts.Scopes, want.Scopes) || !slices.Equal(facts.Withheld, want.Withheld) {
		t.Errorf("granted %q, withheld %q", facts.Scopes, facts.Withheld)
	}
	r.wantNote("token generation 2, without mcp:admin")
	if _, err := r.up.Call(r.context(), admin); err == nil || !strings.Contains(err.Error(), "mcp:admin") {
		t.Errorf("a call that needs what was withheld: %v", err)
	}
	r.login()
	if _, err := r.up.Call(r.context(), admin); err != nil {
		t.Errorf("after a login for all of it: %v", err)
	}
}

// A nonce is demanded at the token endpoint and at the server itself, and each demand
// costs one more request and no login (RFC 9449 sections 8 and 9).
func TestNoncesAtBothEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ProofRequired: true, ProofNonces: true}, nil)
	r.login()
	r.mustCall()
	for _, event := range []transitions.Event{transitions.NonceDemanded, transitions.TokenNonceDemanded} {
		r.wantEntry(string(event), func(e fsm.Entry) bool { return e.Event == string(event) && e.Disposition == fsm.Updated })
	}
	if c := r.server.Counters(); c.NonceDemanded != 2 || c.TokenCode != 2 || c.Authorize != 1 {
		t.Errorf("for the first login and call the server counted %+v", c)
	}
	r.server.Reset()
	r.mustCall()
	if c := r.server.Counters(); c.NonceDemanded != 0 || c.Unauthorized != 0 {
		t.Errorf("a nonce that is known was not sent: %+v", c)
	}
	r.server.RenewNonces()
	r.mustCall()
	if c := r.server.Counters(); c.NonceDemanded == 0 || c.Unauthorized != c.NonceDemanded || c.Authorize+c.TokenRefresh != 0 {
		t.Errorf("for a nonce that became too old the server counted %+v", c)
	}
	r.server.Reset()
	r.server.RevokeAccess()
	r.server.RenewNonces()
	r.mustCall()
	if c := r.server.Counters(); c.TokenRefresh != 2 || c.RefreshReused != 0 || c.Authorize != 0 {
		t.Errorf("for a refresh with a nonce the server counted %+v", c)
	}
	if token := r.up.Snapshot().Data.Token; token.Generation != 2 || token.Type != "DPoP" {
		t.Errorf("the token is %+v", status.OfToken(token))
	}
}

// Proofs have the time of this machine's clock, and no offset is learnt. A server whose
// clock is far off says so and ends the login with its own words, nothing being sent
// again; one that gives nonces needs no clock (RFC 9449 sections 8 and 11.1).
func TestProofsAndAServerWhoseClockIsOff(t *testing.T) {
	off := func() time.Time { return time.Now().Add(10 * time.Minute) }
	t.Run("without nonces", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, oauthserver.Options{AutoApprove: true, ProofRequired: true, Clock: off}, nil)
		var failed *upstream.LoginError
		if err := r.up.Login(r.context(), nil); !errors.As(err, &failed) || !strings.Contains(failed.Detail, "invalid_dpop_proof") ||
			!strings.Contains(failed.Detail, "from the future") {
			t.Fatalf("the login ended with %v", err)
		}
		r.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
	})
	t.Run("with nonces", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, oauthserver.Options{AutoApprove: true, ProofRequired: true, ProofNonces: true, Clock: off}, nil)
		r.login()
		r.mustCall()
	})
}

// wantNote waits for an entry of the journal whose note holds the words.
func (r *rig) wantNote(words string) {
	r.Helper()
	r.wantEntry("a note with "+words, func(e fsm.Entry) bool { return strings.Contains(e.Note, words) })
}

// wantEntry waits for an entry of the journal, which comes a moment after its event.
func (r *rig) wantEntry(what string, is func(fsm.Entry) bool) {
	r.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); !slices.ContainsFunc(r.entries(), is); {
		select {
		case <-poll.C:
		case <-deadline:
			r.Fatalf("the journal has no %s", what)
		}
	}
}

// mayLogIn logs in where the grant needs a user.
func (r *rig) mayLogIn() {
	r.Helper()
	if !r.config.OAuth.Grant.Unattended() {
		// The server's 401 says where its metadata is.
		r.await("LoginRequired", func(s *transitions.Snapshot) bool { return s.Region(states.Credential).State == states.LoginRequired })
		r.login()
	}
	r.await("a token", func(s *transitions.Snapshot) bool { return s.Data.Token != nil })
}
