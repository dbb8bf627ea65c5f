package upstream_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/oauth"
)

// Each key for a server that does not keep to the specifications is named in the very
// error that asks for it, and with it the login goes through, over a restart and an expiry
// too (fault E6).
func TestSettingsAreNamedAndHelp(t *testing.T) {
	t.Parallel()
	type quirks = oauthserver.Quirks
	const elsewhere = "https://auth.example.com"
	for _, test := range []struct {
		setting oauth.Setting
		quirks  quirks
		before  func(*upstream.OAuth) // what is configured already
		words   string                // of the error, beside the setting
		set     func(*upstream.OAuth)
	}{
		{oauth.AssumePKCE, quirks{SilentPKCE: true}, nil, "PKCE", func(o *upstream.OAuth) { o.AssumePKCE = true }},
		{oauth.MetadataIssuer, quirks{Issuer: elsewhere}, nil, `"` + elsewhere + `"`, func(o *upstream.OAuth) { o.MetadataIssuer = elsewhere }},
		{oauth.RedirectHost, quirks{Redirect: "http://localhost/callback"}, nil, "invalid_redirect_uri", func(o *upstream.OAuth) { o.RedirectHost = "localhost" }},
		{oauth.RedirectPath, quirks{Redirect: "http://127.0.0.1/oauth/back"}, nil, "invalid_redirect_uri", func(o *upstream.OAuth) { o.RedirectPath = "/oauth/back" }},
		{oauth.Resource, quirks{Resource: "api://notes"}, nil, "invalid_target", func(o *upstream.OAuth) { o.Resource = "api://notes" }},
		{oauth.TokenParameters, quirks{Audience: "notes"}, nil, "audience", func(o *upstream.OAuth) { o.TokenParameters = map[string]string{"audience": "notes"} }},
		{oauth.OmitOfflineAccess, quirks{ListsOffline: true}, nil, "invalid_scope", func(o *upstream.OAuth) { o.OmitOfflineAccess = true }},
	} {
		t.Run(string(test.setting), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, Quirks: test.quirks}, nil)
			err := r.up.Login(r.context(), nil)
			if err == nil || !strings.Contains(err.Error(), "oauth."+string(test.setting)) || !strings.Contains(err.Error(), test.words) {
				t.Fatalf("without the key: %v", err)
			}
			r.stopped()
			test.set(&r.config.OAuth)
			r.start()
			r.login()
			r.mustCall()
			r.restart()
			r.mustCall()
			r.server.RevokeAccess()
			r.mustCall() // refreshed
		})
	}
}

// What lacks in the metadata is no server that cannot be found (fault E6).
func TestUnsuitableServerIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Quirks: oauthserver.Quirks{SilentPKCE: true}}, nil)
	r.awaitCredential(states.LoginRequired)
	if err := r.up.Login(r.context(), nil); err == nil || strings.Contains(err.Error(), "could not be found") {
		t.Errorf("login = %v", err)
	}
	if reason := r.up.Snapshot().Data.Reason; reason != states.ServerUnsuitable {
		t.Errorf("the reason is %s", reason)
	}
}

// A resource that has a name of its own is kept under it, and logged out of after the
// upstream was removed.
func TestLogoutOfANamedResource(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true, Quirks: oauthserver.Quirks{Resource: "api://notes"}},
		func(c *upstream.Config) { c.OAuth.Resource = "api://notes" })
	r.login()
	if err := r.manager.Apply(r.context(), nil, true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.manager.Logout(r.context(), "u"); err != nil {
		t.Fatal(err)
	}
	if c := r.server.Counters(); c.Revoke == 0 {
		t.Error("nothing was revoked")
	}
}

// A login that is open goes on at its own redirect address after a restart.
func TestRedirectAddressOutlivesARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true},
		func(c *upstream.Config) { c.OAuth.RedirectHost, c.OAuth.RedirectPath = "localhost", "/oauth/back" })
	page, _ := r.openLogin()
	r.restart()
	r.awaitCredential(states.AwaitingBrowser)
	r.await("the offer", func(s *transitions.Snapshot) bool { return s.Data.Shown.How != states.NotShown })
	back := r.redirected(page)
	if !strings.HasPrefix(back, "http://localhost:") || !strings.Contains(back, "/oauth/back?") {
		t.Fatalf("the browser is sent to %s", back)
	}
	if status, text := r.visit(back); status != http.StatusOK {
		t.Errorf("the browser sees %d: %s", status, text)
	}
	r.mustCall()
}

// The parameters of token requests go to the token endpoint, with each grant, and nowhere else.
func TestTokenParametersWithEachGrant(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]upstream.OAuth{
		"client credentials": {Grant: upstream.ClientCredentials, ClientID: "box", ClientSecret: credential.NewSecret("s3cret")},
		"a device":           {Grant: upstream.DeviceCode},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.TokenParameters = map[string]string{"audience": "notes"}
			r := newRig(t, oauthserver.Options{AutoApprove: true, Clients: map[string]string{"box": "s3cret"},
				Quirks: oauthserver.Quirks{Audience: "notes"}}, func(c *upstream.Config) {
				c.OAuth, c.Settings.Unattended = config, config.Grant.Unattended()
			})
			if !config.Grant.Unattended() {
				r.login()
			}
			r.mustCall()
		})
	}
}

// All of them are in the table, and none is in it that no error names.
func TestEverySettingIsShown(t *testing.T) {
	shown := []oauth.Setting{oauth.AssumePKCE, oauth.MetadataIssuer, oauth.RedirectHost, oauth.RedirectPath, oauth.Resource,
		oauth.TokenParameters, oauth.OmitOfflineAccess,
		oauth.OmitResource, oauth.AssertionAudience} // the last two: package oauth
	for _, g := range oauth.Guides() {
		if !slices.Contains(shown, g.Setting) {
			t.Errorf("no test shows the error that names %s", g.Setting)
		}
	}
	if len(oauth.Guides()) != len(shown) {
		t.Errorf("the table has %d settings, and %d are shown", len(oauth.Guides()), len(shown))
	}
}
