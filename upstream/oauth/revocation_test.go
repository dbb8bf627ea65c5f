package oauth_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/upstream/oauth"
)

// Any success revokes. An access token that the server knows no more once it has revoked the
// refresh token is revoked with it; what is refused for other reasons is not (fault E8).
func TestRevocationAnswers(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		done   bool
	}{
		{200, ``, true},
		{200, `{}`, true},
		{200, `OK`, true},
		{200, `{"revoked":true}`, true},
		{200, `{"ok":true,"revoked":true,"error":null}`, true},
		{202, ``, true},
		{204, ``, true},
		{400, `{"error":"invalid_token","error_description":"Token expired or revoked"}`, true}, // Google
		{400, `{"error":"invalid_grant"}`, true},
		{400, `{"error":"invalid_request","error_description":"token not found"}`, true},
		{404, `{"error":"token_not_found","message":"The token does not exist"}`, true},
		{401, `{"error":"invalid_token"}`, false},
		{403, `{"error":"access_denied"}`, false},
		{400, `{"error":"login_required"}`, false},
		{400, `{"error":"invalid_request"}`, false},
		{400, `token not found`, false},
		{200, `{"error":"invalid_request"}`, false},
		{200, `{"ok":false,"error":"not_authed"}`, false},
		{200, `<html></html>`, false},
		{302, ``, false},
		{404, ``, false},
		{429, ``, false},
		{503, `{"error":"invalid_token"}`, false},
	} {
		s := record(t, answer{status: http.StatusOK}, answer{status: test.status, body: test.body})
		token := credential.Token{RevocationEndpoint: s.URL, Access: secret("at"), Refresh: secret("rt"), ExpiresAt: time.Now().Add(time.Hour)}
		_, err := oauth.Revoke(t.Context(), client(), token, anyone)
		var alive *oauth.RevocationError
		if errors.As(err, &alive) == test.done || len(s.asked) != 2 {
			t.Errorf("%d %s: %v, after %d requests", test.status, test.body, err, len(s.asked))
		}
		_, err = oauth.Revoke(t.Context(), client(), token, anyone) // the same for both
		if done := test.status/100 == 2 && test.done; errors.As(err, &alive) == done {
			t.Errorf("%d %s, also of the refresh token: %v", test.status, test.body, err)
		}
	}
}
