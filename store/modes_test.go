//go:build unix

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
		"a key that the group may read":    {func(path string) string { return path + ".key" }, 0o640, 0o600},
		"a key that all may read":          {func(path string) string { return path + ".key" }, 0o644, 0o600},
		"a key that is given, to all":      {func(path string) string { return path + ".key" }, 0o444, 0o400},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "deep", "store.db")
			var log bytes.Buffer
			open := func() {
				s, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"),
					Logger: slog.New(slog.NewTextHandler(&log, nil))})
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

// A directory that the store did not make is left as it is, and one that others may write
// to is named (fault J3). So is a file that is no store.
func TestWhatIsNotTheStoresOwnIsLeft(t *testing.T) {
	for _, mode := range []os.FileMode{0o755, 0o777, 0o777 | os.ModeSticky, 0o770} {
		directory := t.TempDir()
		if err := os.Chmod(directory, mode); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(directory, "x.db")
		var log bytes.Buffer
		s, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"),
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(directory); err != nil || info.Mode()&^os.ModeDir != mode {
			t.Errorf("a directory of the mode %v has %v now: %v", mode, info.Mode(), err)
		}
		if said := strings.Contains(log.String(), "other users may write"); said != (mode&0o022 != 0) {
			t.Errorf("of a directory of the mode %v: %s", mode, log.String())
		}
	}
	letter := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(letter, []byte("Dear Sir"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), letter, store.Options{Keys: store.FileKeys(letter + ".key")}); !errors.Is(err, store.ErrForeign) {
		t.Errorf("a letter: %v", err)
	}
	if info, err := os.Stat(letter); err != nil || info.Mode() != 0o644 {
		t.Errorf("a letter has the mode %v now: %v", info.Mode(), err)
	}
}

// What is no regular file is refused at once, whatever is at its other end (fault J13);
// and a key that never comes is given up.
func TestPipesAndDevicesAreRefused(t *testing.T) {
	directory := t.TempDir()
	pipe := filepath.Join(directory, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, directory, os.DevNull} {
		for _, readOnly := range []bool{false, true} {
			before, _ := os.Stat(path)
			_, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(filepath.Join(directory, "key")), ReadOnly: readOnly})
			if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), "--store") {
				t.Errorf("%s: %v", path, err)
			}
			if after, _ := os.Stat(path); after.Mode() != before.Mode() {
				t.Errorf("%s had the mode %v and has %v", path, before.Mode(), after.Mode())
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := store.Open(ctx, filepath.Join(directory, "store.db"), store.Options{Keys: store.FileKeys(pipe)}); err == nil {
		t.Errorf("a key was read from a pipe that nobody writes to")
		s.Close()
	}
}
