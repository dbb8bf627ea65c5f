package browser_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mcpproxy/upstream/browser"
)

func TestCheckRefusesWhatMustNotReachALauncher(t *testing.T) {
	for _, test := range []struct {
		target string
		ok     bool
	}{
		{"https://as.example/authorize?client_id=a&state=b", true},
		{"http://127.0.0.1:9000/authorize", true},
		{"http://localhost/authorize", true},
		{"http://[::1]:80/authorize", true},
		{"http://as.example/authorize", false},
		{"javascript:alert(1)", false},
		{"file:///etc/passwd", false},
		{"data:text/html,hello", false},
		{"https://user:word@as.example/", false},
		{"https://as.example/$(id)", true}, // no shell sees it
		{"https://as.example/`id`", false},
		{"https://as.example/\" & calc", false},
		{"https://as.example/\\\\share", false},
		{"https://as.example/\n", false},
		{"--help", false},
		{"", false},
	} {
		if err := browser.Check(test.target); (err == nil) != test.ok {
			t.Errorf("Check(%q) = %v, want ok %v", test.target, err, test.ok)
		}
	}
}

func TestCommandPassesTheURLUntouched(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	script := filepath.Join(t.TempDir(), "open")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf '%s' \"$1\" > \"$SEEN\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SEEN", seen)
	const target = "https://as.example/authorize?a=$(id)&b=;ls"
	if err := browser.Command(script)(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(seen)
	if err != nil || string(got) != target {
		t.Errorf("the launcher saw %q (%v), want %q", got, err, target)
	}
}

func TestAFailingLauncherIsAnAnswer(t *testing.T) {
	if err := browser.Command("false")(t.Context(), "https://as.example/"); err == nil {
		t.Error("a launcher that exits 1 counts as success")
	}
	if err := browser.Command(filepath.Join(t.TempDir(), "absent"))(t.Context(), "https://as.example/"); err == nil {
		t.Error("a launcher that is not there counts as success")
	}
	if err := browser.None(t.Context(), "https://as.example/"); !errors.Is(err, browser.ErrNone) {
		t.Errorf("None = %v", err)
	}
}
