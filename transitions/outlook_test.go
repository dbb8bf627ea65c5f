package transitions

import (
	"errors"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"

	"pgregory.net/rapid"
)

// What users are told of the machine's own logins is what its guards say.
func TestOwnLoginAtIsWhatTheGuardsSay(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		d := states.Data{Settings: states.DefaultSettings()}
		d.Settings.AutomaticLogin = true
		ago := rapid.IntRange(0, 4000)
		for at := now.Add(-2 * time.Hour); len(d.Proposals) < 12; {
			at = at.Add(time.Duration(ago.Draw(t, "pause")) * time.Second)
			if at.After(now) {
				break
			}
			d.Proposals = append(d.Proposals, at)
			d.ProposedAt = at
		}
		if rapid.Bool().Draw(t, "the last one was worth its page") {
			d.ProposedAt = time.Time{}
		}
		s := &Snapshot{Data: d, Regions: []fsm.Active[states.State, Event]{{Place: &fsm.Place[states.State]{Region: states.Credential,
			State: states.LoginRequired}}}}
		at := OwnLoginAt(s, now)
		if err := browserLimit.Check(d, &Input{At: at}); err != nil {
			t.Fatalf("at %v the guard still refuses: %v", at, err)
		}
		if before := at.Add(-time.Second); at.After(now) && !errors.Is(browserLimit.Check(d, &Input{At: before}), ErrBrowserLimit) {
			t.Fatalf("the guard allows it already at %v", before)
		}
	})
}

// Where only a user may begin a login, there is no such time.
func TestNoOwnLoginWithoutLeave(t *testing.T) {
	s := &Snapshot{Data: states.Data{Settings: states.DefaultSettings()},
		Regions: []fsm.Active[states.State, Event]{{Place: &fsm.Place[states.State]{Region: states.Credential, State: states.LoginRequired}}}}
	if at := OwnLoginAt(s, time.Now()); !at.IsZero() {
		t.Errorf("it is %v", at)
	}
}
