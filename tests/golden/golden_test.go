package golden_test

import (
	"os"
	"path/filepath"
	"testing"

	"mcpproxy/tests/golden"
)

// failing notes that a test failed, and goes on.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Helper()               {}
func (f *failing) Errorf(string, ...any) { f.failed = true }

func TestCompare(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.txt")
	if err := os.WriteFile(path, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for got, failed := range map[string]bool{"kept\n": false, "kept": true, "": true} {
		f := &failing{TB: t}
		if golden.Compare(f, path, got); f.failed != failed {
			t.Errorf("%q: failed %t, want %t", got, f.failed, failed)
		}
	}
}
