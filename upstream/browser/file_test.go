package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Where the list of processes is not the place for a one-time address, the launcher gets
// a page that only its user can read (fault J14), and pages of before do not pile up.
func TestTheAddressIsHandedOverInAFile(t *testing.T) {
	directory := t.TempDir()
	const target = "https://as.example.com/authorize?a=1&state=once"
	begun := time.Now()
	path, err := pageOf(directory, target, begun)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), `url=https://as.example.com/authorize?a=1&amp;state=once"`) {
		t.Errorf("the page is %q, %v", text, err)
	}
	for at, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", at, info.Mode(), err)
		}
	}
	if _, err := pageOf(directory, target, begun.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := pageOf(directory, target, time.Now().Add(leftFor+time.Minute)); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(directory, "*")); len(left) != 1 {
		t.Errorf("there are %v", left)
	}

	// The launcher is given the page, and not the address.
	t.Setenv("TMPDIR", directory)
	launcher, given := filepath.Join(directory, "launcher"), filepath.Join(directory, "given")
	if err := os.WriteFile(launcher, []byte("#!/bin/sh\nprintf %s \"$*\" > \""+given+"\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := throughFile(launcher)(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if argument, err := os.ReadFile(given); err != nil || !strings.HasSuffix(string(argument), "page.html") {
		t.Errorf("the launcher was given %q, %v", argument, err)
	}
	if err := throughFile(launcher)(t.Context(), "file:///etc/passwd"); err == nil {
		t.Error("another scheme was opened")
	}
}
