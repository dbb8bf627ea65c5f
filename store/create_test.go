package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/store"
)

// A process that dies, or fails, while it makes its store leaves nothing that keeps
// the next one from making it.
func TestFirstStartThatDies(t *testing.T) {
	stopped := errors.New("stopped here")
	for _, stage := range store.Stages() {
		for nth := range 2 { // the buckets, and what tells a wrong key
			path := filepath.Join(t.TempDir(), "store.db")
			passed := 0
			_, err := store.Open(t.Context(), path, store.Options{Keys: store.FileKeys(path + ".key"),
				Staged: func(_, _ string, at store.Stage) error {
					if at == stage {
						if passed++; passed > nth {
							return stopped
						}
					}
					return nil
				}})
			if !errors.Is(err, stopped) {
				t.Fatalf("%s %d: Open = %v", stage, nth, err)
			}
			s := open(t, path, store.Options{})
			if err := errors.Join(s.SaveToken("u", token(1), 0, wanted), s.Check(), s.Close()); err != nil {
				t.Errorf("after it had stopped at %s: %v", stage, err)
			}
		}
	}
}

// A first start leaves the store, its key and its owner's note, and nothing else.
func TestFirstStartLeavesNoTraces(t *testing.T) {
	dir := t.TempDir()
	defer open(t, filepath.Join(dir, "store.db"), store.Options{}).Close()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 || strings.Contains(file.Name(), ".new-") {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
}
