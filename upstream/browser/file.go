package browser

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// leftFor is how long a page is left for the browser that is to read it.
const leftFor = 5 * time.Minute

// HandOver opens a one-time address with the launcher argv, which is given the URL of a
// page that leads there in place of the address: the list of processes is everybody's to
// read, and the page is its user's alone. What is returned removes the page; pages of
// earlier times are removed first. A browser that cannot read it is given the address.
func HandOver(ctx context.Context, argv []string, target string) (remove func(), err error) {
	if sandboxed(ctx, argv) {
		return func() {}, Command(argv...)(ctx, target)
	}
	if err := Check(target); err != nil {
		return nil, err
	}
	path, err := pageOf(os.TempDir(), target, time.Now())
	if err != nil {
		return nil, fmt.Errorf("the page that leads to the URL could not be written: %w", err)
	}
	remove = func() { _ = os.RemoveAll(filepath.Dir(path)) } // else the next one does
	if err := launch(ctx, append(slices.Clone(argv), fileURL(path))); err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}

func fileURL(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // a drive of Windows
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// snapped is where snaps are started from.
var snapped = regexp.MustCompile(`^(/var/lib/snapd)?/snap/`)

// sandboxed reports whether the browser is a snap: they read neither temporary files nor
// hidden ones, which is where programs may write unasked. What is known of the rest is
// that they read it, or are handed it by a portal (Flatpak). Where there are snaps, who
// connects is known (package loopback).
func sandboxed(ctx context.Context, argv []string) bool {
	if runtime.GOOS != "linux" {
		return false
	}
	path, err := exec.LookPath(argv[0])
	if err != nil || filepath.Base(path) != "xdg-open" {
		return snapped.MatchString(path)
	}
	ctx, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	name, err := exec.CommandContext(ctx, "xdg-settings", "get", "default-web-browser").Output()
	return err == nil && strings.Contains(string(name), "_") // SNAP_APP.desktop
}

// pageOf writes the page into a directory of its own below the one that is given.
func pageOf(directory, target string, now time.Time) (string, error) {
	const prefix = "mcpproxy-page-"
	old, err := filepath.Glob(filepath.Join(directory, prefix+"*"))
	if err != nil {
		return "", err
	}
	for _, left := range old {
		if info, err := os.Lstat(left); err == nil && info.IsDir() && now.Sub(info.ModTime()) > leftFor {
			_ = os.RemoveAll(left) // another user's stays
		}
	}
	own, err := os.MkdirTemp(directory, prefix) // mode 0700
	if err != nil {
		return "", err
	}
	quoted := html.EscapeString(target)
	page := fmt.Sprintf("<!doctype html><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\">"+
		"<meta http-equiv=\"refresh\" content=\"0; url=%s\"><title>mcpproxy</title><p><a href=\"%s\">Go on</a></p>\n", quoted, quoted)
	path := filepath.Join(own, "page.html")
	return path, os.WriteFile(path, []byte(page), 0o600)
}
