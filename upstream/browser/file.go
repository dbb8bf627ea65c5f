package browser

import (
	"context"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"time"
)

// leftFor is how long a page is left for the browser that is to read it.
const leftFor = 5 * time.Minute

// throughFile returns an opener that gives the launcher argv a page to open that leads
// to the URL, in place of the URL: the list of processes is everybody's to read, and the
// page is its user's alone. Pages of earlier times are removed first.
func throughFile(argv ...string) Opener {
	return func(ctx context.Context, target string) error {
		if err := Check(target); err != nil {
			return err
		}
		path, err := pageOf(os.TempDir(), target, time.Now())
		if err != nil {
			return fmt.Errorf("the page that leads to the URL could not be written: %w", err)
		}
		return launch(ctx, append(append([]string{}, argv...), path))
	}
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
