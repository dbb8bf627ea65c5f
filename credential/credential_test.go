package credential_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const canary = "canary-4711"
	token := credential.Token{Access: credential.NewSecret(canary), Refresh: credential.NewSecret(canary)}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("token", "secret", token.Access, "token", token)
	encoded, err := json.Marshal(map[string]any{"token": token, "secret": token.Access})
	if err != nil {
		t.Fatal(err)
	}
	sinks := map[string]string{"slog": log.String(), "json": string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		sinks[verb] = fmt.Sprintf(verb+" "+verb, token.Access, token)
	}
	for sink, text := range sinks {
		if strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
			t.Errorf("%s shows the secret: %s", sink, text)
		}
	}
	if token.Access.Reveal() != canary {
		t.Error("Reveal does not give the value back")
	}
}

func TestRenewAt(t *testing.T) {
	obtained := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range []struct {
		name  string
		life  time.Duration
		least time.Duration
		most  time.Duration
	}{
		{"an hour: one to six minutes ahead", time.Hour, time.Minute, 6 * time.Minute},
		{"30 s: one to two fifths ahead", 30 * time.Second, 6 * time.Second, 12 * time.Second},
		{"8 s: one to two fifths ahead", 8 * time.Second, 1600 * time.Millisecond, 3200 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tenths [10]int
			for n := range 1000 {
				token := &credential.Token{Resource: fmt.Sprintf("https://mcp-%d.example/mcp", n), ObtainedAt: obtained,
					ExpiresAt: obtained.Add(test.life)}
				ahead := token.ExpiresAt.Sub(token.RenewAt())
				if ahead < test.least || ahead >= test.most {
					t.Fatalf("renewed %v ahead of expiry, want %v to %v", ahead, test.least, test.most)
				}
				tenths[10*(ahead-test.least)/(test.most-test.least)]++
			}
			for _, n := range tenths {
				if n < 50 || n > 150 {
					t.Errorf("a thousand tokens are renewed unevenly: %v in each tenth of the time", tenths)
					break
				}
			}
		})
	}
	if at := (&credential.Token{ObtainedAt: obtained}).RenewAt(); !at.IsZero() {
		t.Errorf("a token without a lifetime is renewed by the clock, at %v", at)
	}
}

func TestUsableAt(t *testing.T) {
	obtained := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token := &credential.Token{Access: credential.NewSecret("a"), ObtainedAt: obtained, ExpiresAt: obtained.Add(time.Hour)}
	for _, test := range []struct {
		name  string
		token *credential.Token
		now   time.Time
		want  bool
	}{
		{"within its life", token, obtained.Add(time.Minute), true},
		{"expired", token, obtained.Add(time.Hour), false},
		{"the clock was set back", token, obtained.Add(-24 * time.Hour), true},
		{"no stated life", &credential.Token{Access: credential.NewSecret("a"), ObtainedAt: obtained}, obtained.Add(999 * time.Hour), true},
		{"no token", nil, obtained, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.token.UsableAt(test.now); got != test.want {
				t.Errorf("UsableAt = %v, want %v", got, test.want)
			}
		})
	}
}
