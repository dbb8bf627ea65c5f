//go:build unix

package userfile

import (
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/adrg/xdg"
)

// Without HOME the files are in the home that the system knows, not in the root
// directory (fault J3); a HOME that is there stays.
func TestFindHome(t *testing.T) {
	t.Cleanup(xdg.Reload)
	known, err := user.Current()
	if err != nil {
		t.Skip("this user is not in the user database")
	}
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME"} {
		t.Setenv(name, "") // as if it were not there
	}
	for from, want := range map[string]string{"": known.HomeDir, "/elsewhere": "/elsewhere"} {
		t.Setenv("HOME", from)
		xdg.Reload()
		FindHome()
		if got := os.Getenv("HOME"); got != want || !strings.HasPrefix(xdg.ConfigHome, want) ||
			!strings.HasPrefix(xdg.DataHome, filepath.Clean(want)) {
			t.Errorf("HOME=%q: %q, %q, %q; want %q", from, got, xdg.ConfigHome, xdg.DataHome, want)
		}
	}
}
