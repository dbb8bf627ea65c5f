//go:build unix

package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/config"
)

// A file that others may write is neither read nor added to: it names commands that
// are run.
func TestAFileThatOthersMayWriteIsRefused(t *testing.T) {
	for mode, words := range map[os.FileMode]string{0o600: "", 0o644: "", 0o400: "", 0o666: "by every user (mode 0666)",
		0o602: "by every user", 0o664: "by the group 12345 (mode 0664)"} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(`{"mcpServers": {"u": {"command": "true"}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		if mode == 0o664 {
			if err := os.Chown(path, -1, 12345); err != nil {
				t.Logf("only root can give a file to any group, so the mode 0664 is not tried: %v", err)
				continue
			}
		}
		if err := os.Chmod(path, mode); err != nil { // past the umask
			t.Fatal(err)
		}
		_, loaded := config.Load(path, os.LookupEnv)
		added := config.Add(path, "v", map[string]string{"url": "https://mcp.example"}, false)
		for _, err := range []error{loaded, added} {
			if (err == nil) != (words == "") || err != nil &&
				(!errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), "chmod go-w ")) {
				t.Errorf("%04o: %v, want %q and what to do", mode, err, words)
			}
		}
	}
}

func TestAnothersFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(`{}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Skip("only root can give a file away:", err)
	}
	if _, err := config.Load(path, os.LookupEnv); err == nil || !strings.Contains(err.Error(), "the user 12345") {
		t.Errorf("Load = %v", err)
	}
}
