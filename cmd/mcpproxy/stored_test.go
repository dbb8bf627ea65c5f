package main

import (
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/store"
)

// What the store holds is said as the machine will read it (faults B7 and B8's kind, where
// no proxy runs).
func TestStoredWords(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.Local)
	token := func(life time.Duration, refresh string) *credential.Token {
		return &credential.Token{
			Generation: 1, Access: credential.NewSecret("a"), Refresh: credential.NewSecret(refresh),
			ObtainedAt: now.Add(-2 * time.Hour), ExpiresAt: now.Add(life),
		}
	}
	endless := token(0, "")
	endless.ExpiresAt = time.Time{}
	flow := func(left time.Duration) *credential.Flow { return &credential.Flow{ID: "f", Deadline: now.Add(left)} }
	verdict := &credential.Verdict{Reason: "RefreshRejected", Text: "invalid_grant"}
	for name, test := range map[string]struct {
		kept store.Credential
		says string
	}{
		"nothing":                         {store.Credential{}, "no token"},
		"a login that came to nothing":    {store.Credential{Verdict: verdict}, "no token: invalid_grant"},
		"logged out":                      {store.Credential{Logout: &credential.LogoutMark{At: now}}, "logged out; a login is needed"},
		"a token":                         {store.Credential{Token: token(time.Hour, "r")}, "a token, valid until 2026-12-01 13:00:00"},
		"a token without a life":          {store.Credential{Token: endless}, "a token, valid"},
		"a token that cannot be renewed":  {store.Credential{Token: token(time.Hour, ""), Verdict: verdict}, "a token, valid until 2026-12-01 13:00:00; it cannot be renewed: invalid_grant"},
		"a token that is over":            {store.Credential{Token: token(-time.Hour, "r")}, "is renewed when a proxy starts"},
		"one that cannot be renewed":      {store.Credential{Token: token(-time.Hour, ""), Verdict: verdict}, "the token is over, and a login is needed: invalid_grant"},
		"a renewal without an answer":     {store.Credential{Token: token(-time.Hour, "r"), Intent: &credential.Intent{ID: "i"}}, "what became of its last renewal is not known"},
		"the same beside a working token": {store.Credential{Token: token(time.Hour, "r"), Intent: &credential.Intent{ID: "i"}}, "a token, valid until 2026-12-01 13:00:00"},
		"an open login":                   {store.Credential{Flow: flow(time.Minute)}, "a login is open until 2026-12-01 12:01:00"},
		"a login beside a token":          {store.Credential{Token: token(time.Hour, "r"), Flow: flow(time.Minute)}, "a token, valid until 2026-12-01 13:00:00"},
		"a login that is over":            {store.Credential{Flow: flow(-time.Minute)}, "no token"},
	} {
		if said := storedWords(test.kept, now); said != test.says && !strings.Contains(said, test.says) {
			t.Errorf("%s: %q, want %q", name, said, test.says)
		}
	}
}
