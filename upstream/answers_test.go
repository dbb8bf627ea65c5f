package upstream_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
)

// answered is what the token endpoint says in place of the truth; the tokens are issued.
func answered(grant, body string) oauthserver.Fault {
	return oauthserver.Fault{Endpoint: "token", Kind: "taken", Grant: grant, Body: body}
}

// refused is a refusal of each refresh.
func refused(status int, contentType, body string) oauthserver.Fault {
	return oauthserver.Fault{Endpoint: "token", Kind: "answer", Grant: "refresh_token", Status: status, ContentType: contentType, Body: body}
}

// Answers that a strict reader does not take log a user in and renew the token (faults
// A1, A2, A4 and A5).
func TestAnswersOfOtherSpellingsAreTaken(t *testing.T) {
	for name, body := range map[string]string{
		"a fraction":  `{"access_token":"{{access_token}}","token_type":"Bearer","expires_in":3599.98,"refresh_token":"{{refresh_token}}"}`,
		"no type":     `{"access_token":"{{access_token}}","expires_in":3600,"refresh_token":"{{refresh_token}}"}`,
		"Slack's own": `{"ok":true,"authed_user":{"access_token":"{{access_token}}","token_type":"user","expires_in":43200,"refresh_token":"{{refresh_token}}","scope":"mcp,admin"}}`,
		"a form":      `access_token={{access_token}}&expires_in=3600&refresh_token={{refresh_token}}&scope=mcp`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.setFaults(answered("", body))
			r.login()
			r.mustCall()
			for generation := uint64(2); generation <= 3; generation++ {
				r.server.RevokeAccess()
				r.mustCall()
				if token := r.up.Snapshot().Data.Token; token.Generation != generation {
					t.Errorf("the token has the generation %d", token.Generation)
				}
			}
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1, Refresh: 2})
		})
	}
}

// A refresh token that is spent or refused is not sent again (faults A3, B1 and B2). Where the
// access token works it serves until it expires, and the reason is told; where it does
// not, a login is required at once.
func TestARefreshTokenThatIsOverIsNotSentAgain(t *testing.T) {
	const secret = "neither at-4711 nor rt-4711 is for anybody's eyes"
	for _, test := range []struct {
		name   string
		fault  oauthserver.Fault
		reason states.Reason
		words  string
	}{
		{"half of an answer", answered("refresh_token", `{"access_token":"{{access_token}}","refresh_tok`), states.AnswerUnreadable, "no token that can be read"},
		{"no answer of a kind", answered("refresh_token", secret), states.AnswerUnreadable, "no token that can be read"},
		{"an empty answer", answered("refresh_token", ""), states.AnswerUnreadable, "no token that can be read"},
		{"a type that is not supported", answered("refresh_token", `{"access_token":"{{access_token}}","token_type":"mac"}`), states.AnswerUnreadable, "of the type mac"},
		{"GitHub", refused(200, "application/x-www-form-urlencoded", "error=bad_refresh_token&error_description=The+refresh+token+passed+is+incorrect+or+expired."), states.RefreshRejected, "incorrect or expired"},
		{"Entra", refused(400, "", `{"error":"interaction_required","error_description":"AADSTS50076: you must use multi-factor authentication"}`), states.RefreshRejected, "AADSTS50076"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 3 * time.Second, Leeway: time.Minute}, nil)
			r.login()
			r.setFaults(test.fault)
			r.await("the refresh token to be given up", func(s *transitions.Snapshot) bool {
				return s.Region(states.Credential).State == states.Fresh && !s.Data.Token.HasRefresh()
			})
			r.mustCall()
			if said := r.up.Snapshot().Data.CredentialError.Text; !strings.Contains(said, test.words) || strings.Contains(said, "4711") {
				t.Errorf("while the access token serves the reason is %q", said)
			}
			r.awaitCredential(states.LoginRequired)
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1, Refresh: 1})
		})
		t.Run(test.name+", without an access token", func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			r.setFaults(test.fault)
			r.server.RevokeAccess()
			if err := r.call(); err == nil || !strings.Contains(err.Error(), test.reason.Doc()) {
				t.Errorf("the call ends with %v", err)
			}
			r.awaitCredential(states.LoginRequired)
			data := r.up.Snapshot().Data
			if data.Reason != test.reason || !strings.Contains(data.CredentialError.Text, test.words) {
				t.Errorf("%s: %s", data.Reason, data.CredentialError.Text)
			}
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1, Refresh: 1})
			r.setFaults()
			r.login()
			r.mustCall()
		})
	}
}

// A page is no answer of the authorization server, under whatever status: the refresh
// token and the client are kept, and the reason says what came (faults B4 and B5).
func TestAPageIsNoAnswer(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			page := refused(status, "text/html", "<html><head><title>Down for maintenance</title></head></html>")
			page.Count = 2
			r.setFaults(page)
			r.server.RevokeAccess()
			r.mustCall()
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1, Refresh: 3})
			if text := r.logs.String(); !strings.Contains(text, "Down for maintenance") {
				t.Error("the page is not named")
			}
		})
	}
}

// A refusal that is not known is believed when it goes on, as often as a refresh is
// tried, and the server's words are told; one that does not go on costs nothing (fault B3).
func TestARefusalThatIsNotKnownIsBelievedWhenItGoesOn(t *testing.T) {
	for name, fault := range map[string]oauthserver.Fault{
		"prose":         refused(400, "text/plain", "Token has been expired or revoked."),
		"a bare 401":    refused(401, "text/plain", "Token has been expired or revoked: 401"),
		"another code":  refused(400, "", `{"error":"invalid_request","error_description":"The token request is invalid. Token has been replaced."}`),
		"an error, 200": refused(200, "", `{"ok":false,"error":"org_login_needed","message":"Token has been locked"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
			r.login()
			r.mustCall()
			once := fault
			once.Count = 1
			r.setFaults(once)
			r.server.RevokeAccess()
			r.mustCall()
			r.wantCounts(want{Authorize: 1, Code: 1, Register: 1, Refresh: 2})

			r.setFaults(fault)
			r.server.Reset()
			r.setFaults(fault)
			r.server.RevokeAccess()
			if err := r.call(); err == nil {
				t.Error("a call without a token succeeded")
			}
			r.awaitCredential(states.LoginRequired)
			data := r.up.Snapshot().Data
			if data.Reason != states.RefreshRejected || !strings.Contains(data.CredentialError.Text, "Token has been") {
				t.Errorf("%s: %s", data.Reason, data.CredentialError.Text)
			}
			r.wantCounts(want{Refresh: data.Settings.RefreshAttempts})
			r.setFaults()
			r.login()
			r.mustCall()
		})
	}
}

// A token endpoint that has moved is looked up before the next attempt, and the token that
// it gives knows it (fault B10).
func TestATokenEndpointThatHasMovedIsLookedUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, oauthserver.Options{AutoApprove: true}, nil)
	r.login()
	r.mustCall()
	r.server.Reset()
	r.server.MoveToken()
	r.server.RevokeAccess()
	r.mustCall()
	token := r.up.Snapshot().Data.Token
	if token.Generation != 2 || !strings.HasSuffix(token.TokenEndpoint, "/moved/token") {
		t.Errorf("generation %d, of %s", token.Generation, token.TokenEndpoint)
	}
	if c := r.server.Counters(); c.ServerMetadata != 1 || c.TokenRefresh != 2 || c.RefreshReused != 0 {
		t.Errorf("%+v", c)
	}
	for _, e := range r.entries() {
		if e.Event == string(transitions.EndpointGone) {
			return
		}
	}
	t.Error("the journal does not say that the endpoint is gone")
}
