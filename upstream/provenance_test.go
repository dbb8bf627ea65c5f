package upstream_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/oauth"

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
		want   upstream.TokenStatus
		notes  []string
	}{
		{
			name: "a registered client", server: oauthserver.Options{AutoApprove: true},
			want:  upstream.TokenStatus{Type: "Bearer", Grant: "authorization_code", Client: &upstream.ClientStatus{Registration: "dynamic", Authentication: "none"}, HasRefreshToken: true},
			notes: []string{"resource metadata at its well-known place", "client dynamic, authentication none, for mcp", "token generation 1"},
		},
		{
			name: "a metadata document", server: oauthserver.Options{AutoApprove: true}, config: upstream.OAuth{ClientMetadataURL: clientDocument(t)},
			want:  upstream.TokenStatus{Type: "Bearer", Grant: "authorization_code", Client: &upstream.ClientStatus{Registration: "client-id-metadata-document", Authentication: "none"}, HasRefreshToken: true},
			notes: []string{"client client-id-metadata-document, authentication none"},
		},
		{
			name: "a configured client with a secret in the header", server: confidential, config: upstream.OAuth{ClientID: "box", ClientSecret: credential.NewSecret("s3cret")},
			want:  upstream.TokenStatus{Type: "Bearer", Grant: "authorization_code", Client: &upstream.ClientStatus{Registration: "pre-registered", Authentication: "client_secret_basic"}, HasRefreshToken: true},
			notes: []string{"client pre-registered, authentication client_secret_basic"},
		},
		{
			name: "and with it in the body", server: confidential, config: upstream.OAuth{ClientID: "box", ClientSecret: credential.NewSecret("s3cret"), AuthMethod: "client_secret_post"},
			want:  upstream.TokenStatus{Type: "Bearer", Grant: "authorization_code", Client: &upstream.ClientStatus{Registration: "pre-registered", Authentication: "client_secret_post"}, HasRefreshToken: true},
			notes: []string{"client pre-registered, authentication client_secret_post"},
		},
		{
			name: "the client's own credentials", server: confidential, config: upstream.OAuth{Grant: upstream.ClientCredentials, ClientID: "box", ClientSecret: credential.NewSecret("s3cret")},
			want:  upstream.TokenStatus{Type: "Bearer", Grant: "client_credentials", Client: &upstream.ClientStatus{Registration: "pre-registered", Authentication: "client_secret_basic"}},
			notes: []string{"client pre-registered, authentication client_secret_basic"},
		},
		{
			name: "a token that is bound to a key", server: oauthserver.Options{AutoApprove: true, ProofRequired: true},
			want:  upstream.TokenStatus{Type: "DPoP", Grant: "authorization_code", Client: &upstream.ClientStatus{Registration: "dynamic", Authentication: "none"}, HasRefreshToken: true},
			notes: []string{"for mcp, to be bound to a key", "token generation 1, bound to a key"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, test.server, func(c *upstream.Config) { c.OAuth, c.Settings.Unattended = test.config, test.config.Grant.Unattended() })
			r.mayLogIn()
			r.mustCall()
			token := r.up.Snapshot().Data.Token
			got := upstream.TokenStatusOf(token)
			test.want.Generation, test.want.Issuer, test.want.Resource, test.want.Scopes, test.want.Revocable = 1, r.server.URL(), r.server.MCPURL(), []string{"mcp"}, true
			test.want.ObtainedAt, test.want.ExpiresAt, test.want.Fingerprint, test.want.Client.ID = token.ObtainedAt, &token.ExpiresAt, token.Access.Fingerprint(), token.ClientID
			test.want.BoundTo = oauth.Thumbprint(token.Key)
			if diff := cmp.Diff(&test.want, got); diff != "" {
				t.Errorf("the facts (-want +got):\n%s", diff)
			}
			if (got.BoundTo != "") != (got.Type == "DPoP") {
				t.Errorf("a %s token is bound to %q", got.Type, got.BoundTo)
			}
			for _, note := range test.notes {
				r.wantNote(note)
			}
			r.restart()
			r.mustCall()
			if again := upstream.TokenStatusOf(r.up.Snapshot().Data.Token); cmp.Diff(got, again) != "" {
				t.Errorf("after a restart the facts differ:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// clientDocument is the address of a document about a client that may come back to any
// port of this machine.
func clientDocument(t *testing.T) string {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"client_id": s.URL + "/client", "client_name": "a client", "redirect_uris": []string{"http://127.0.0.1/callback"}}) // the server went away
	}))
	t.Cleanup(s.Close)
	return s.URL + "/client"
}

// A nonce is demanded at the token endpoint and at the server itself, and each demand
// costs one more request and no login (RFC 9449 sections 8 and 9).
func TestNoncesAtBothEndpoints(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, ProofRequired: true, ProofNonces: true}, nil)
	r.login()
	r.mustCall()
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
		t.Errorf("the token is %+v", upstream.TokenStatusOf(token))
	}
}

// wantNote waits for an entry of the journal whose note holds the words.
func (r *rig) wantNote(words string) {
	r.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); ; {
		if slices.ContainsFunc(r.entries(), func(e fsm.Entry) bool { return strings.Contains(e.Note, words) }) {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			r.Fatalf("no entry of the journal says %q", words)
		}
	}
}

// mayLogIn logs in where the grant needs a person.
func (r *rig) mayLogIn() {
	r.Helper()
	if !r.config.OAuth.Grant.Unattended() {
		r.login()
	}
	r.await("a token", func(s *transitions.Snapshot) bool { return s.Data.Token != nil })
}
