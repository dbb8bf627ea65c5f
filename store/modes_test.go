//go:build unix

package store_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/store"
)

// Modes that let other users in are narrowed at the next start, and said.
func TestModesThatAreTooWideAreNarrowed(t *testing.T) {
	for name, test := range map[string]struct {
		of         func(path string) string
		wide, then os.FileMode
	}{
		"a store that all may read":        {func(path string) string { return path }, 0o644, 0o600},
		"a store that the group may write": {func(path string) string { return path }, 0o660, 0o600},
		"a directory that all may write":   {filepath.Dir, 0o777, 0o700},
		"a key that the group may read":    {func(path string) string { return path + ".key" }, 0o640, 0o600},
		"a key that all may read":          {func(path string) string { return path + ".key" }, 0o644, 0o600},
		"a key that is given, to all":      {func(path string) string { return path + ".key" }, 0o444, 0o400},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "deep", "store.db")
			var log bytes.Buffer
			open := func() {
				s, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"), Logger: slog.New(slog.NewTextHandler(&log, nil))})
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&log, s.KeyOrigin())
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			open()
			file := test.of(path)
			if err := os.Chmod(file, test.wide); err != nil {
				t.Fatal(err)
			}
			log.Reset()
			open()
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != test.then {
				t.Errorf("it has the mode %v: %v", info.Mode(), err)
			}
			if was := fmt.Sprintf("%04o", test.wide); !strings.Contains(log.String(), was) || !strings.Contains(log.String(), "other users") {
				t.Errorf("nobody is told that the mode was %s: %s", was, log.String())
			}
		})
	}
}
