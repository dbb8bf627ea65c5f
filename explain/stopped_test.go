package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/store"
)

// Of a proxy that does not run, the store says what the next start makes of it.
func TestEveryWayToStart(t *testing.T) {
	ended := []fsm.Entry{
		{Time: began, Region: states.Connection, From: "Connecting", To: "Connected", Disposition: fsm.Moved},
		{Time: began, Region: states.Credential, From: "Refreshing", To: "Fresh", Disposition: fsm.Moved},
		{Time: began.Add(time.Second), Region: states.Connection, From: "Connected", To: "Closed", Disposition: fsm.Moved},
		{Time: began.Add(time.Second), Region: states.Credential, From: "Fresh", To: "Closed", Disposition: fsm.Moved},
	}
	good, spent := token(now.Add(time.Hour), "refresh"), token(began, "")
	expired := token(began, "refresh")
	flow := func(code string) *credential.Flow {
		return &credential.Flow{ID: "f", Deadline: now.Add(time.Minute), DeviceCode: credential.NewSecret(code)}
	}
	intent := &credential.Intent{StartedAt: began}
	var all strings.Builder
	said := map[string]bool{}
	for _, c := range []struct {
		name    string
		kept    store.Credential
		journal []fsm.Entry
	}{
		{"a token that works", store.Credential{Token: good}, ended},
		{"an expired token", store.Credential{Token: expired}, ended[:2]},
		{"an expired token without a refresh token", store.Credential{Token: spent}, ended},
		{"nothing", store.Credential{}, nil},
		{"a refresh without an outcome", store.Credential{Token: good, Intent: intent}, ended[:2]},
		{"a refresh without an outcome, and an expired token", store.Credential{Token: expired, Intent: intent}, ended[:2]},
		{"an open login", store.Credential{Flow: flow("")}, ended},
		{"an open login with a code", store.Credential{Flow: flow("code")}, ended},
		{"an open login beside a token that works", store.Credential{Token: good, Flow: flow("")}, ended},
		{"an open login with a code beside a token that works", store.Credential{Token: good, Flow: flow("code")}, ended},
		{"a logout", store.Credential{Logout: &credential.LogoutMark{At: began}}, ended},
	} {
		e := Stopped("notes", c.kept, c.journal, now)
		whole(t, c.name, e)
		said[e.Then] = true
		fmt.Fprintf(&all, "## %s\n\n%s\n", c.name, text(t, e))
	}
	if len(said) != len(atStart) {
		t.Errorf("%d of %d ways to start are told apart", len(said), len(atStart))
	}
	e := Damaged("notes", store.ErrCorrupt)
	whole(t, "damaged", e)
	fmt.Fprintf(&all, "## a damaged record\n\n%s\n", text(t, e))
	kept(t, "stopped.txt", all.String())
}
