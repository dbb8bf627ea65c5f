package browser

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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
	remove, err := HandOver(t.Context(), []string{launcher}, target)
	if err != nil {
		t.Fatal(err)
	}
	argument, err := os.ReadFile(given)
	page, isFile := strings.CutPrefix(string(argument), "file://")
	if err != nil || !isFile || !strings.HasPrefix(page, directory) {
		t.Errorf("the launcher was given %q, %v", argument, err)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
	remove()
	if _, err := os.Stat(filepath.Dir(page)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the page was left: %v", err)
	}
	if _, err := HandOver(t.Context(), []string{launcher}, "file:///etc/passwd"); err == nil {
		t.Error("another scheme was opened")
	}
	if _, err := HandOver(t.Context(), []string{"false"}, target); err == nil {
		t.Error("a launcher that fails is no error")
	}
	if left, _ := filepath.Glob(filepath.Join(directory, "mcpproxy-page-*")); len(left) != 1 { // of above
		t.Errorf("there are %v", left)
	}
}

// A browser that cannot read the page, a snap's, is given the address, which is of no use
// to other users there.
func TestASnapIsGivenTheAddress(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there are no snaps")
	}
	directory := t.TempDir()
	given := filepath.Join(directory, "given")
	for name, script := range map[string]string{"xdg-open": "printf %s \"$*\" > " + given, "xdg-settings": "echo \"$DEFAULT_BROWSER\""} {
		if err := os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", directory+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", directory)
	const target = "http://127.0.0.1:1/once"
	for browser, isFile := range map[string]bool{"firefox_firefox.desktop": false, "firefox.desktop": true,
		"org.mozilla.firefox.desktop": true, "": true} {
		t.Setenv("DEFAULT_BROWSER", browser)
		remove, err := HandOver(t.Context(), []string{"xdg-open"}, target)
		if err != nil {
			t.Fatal(err)
		}
		remove()
		if argument, err := os.ReadFile(given); err != nil || strings.HasPrefix(string(argument), "file://") != isFile || !isFile &&
			string(argument) != target {
			t.Errorf("%q was given %q, %v", browser, argument, err)
		}
	}
}
