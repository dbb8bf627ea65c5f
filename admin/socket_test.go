package admin

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A socket that was left is replaced. A file of that name is not, whatever it is, and a
// path that no system takes is said to be too long.
func TestListenReplacesNothingButItsSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "admin-") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	left, letter := filepath.Join(dir, "left"), filepath.Join(dir, "letter")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: left})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := errors.Join(dead.Close(), os.WriteFile(letter, []byte("Dear Sir"), 0o600)); err != nil {
		t.Fatal(err)
	}
	listener, err := Listen(left)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for path, says := range map[string]string{
		left:                       "another proxy is running",
		letter:                     "there is a file of that name",
		filepath.Join(letter, "s"): "--socket",
		filepath.Join(dir, strings.Repeat("long", 40)): "about a hundred bytes",
	} {
		if l, err := Listen(path); err == nil {
			l.Close()
			t.Errorf("%s is listened on", path)
		} else if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "--socket") {
			t.Errorf("%s: %v; want %q", path, err, says)
		}
	}
	if text, err := os.ReadFile(letter); err != nil || string(text) != "Dear Sir" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}
