package admin

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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
	// A process that listens and takes no connection is one all the same (fault J5).
	busy, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(busy)
	full := filepath.Join(dir, "full")
	if err := errors.Join(syscall.Bind(busy, &syscall.SockaddrUnix{Name: full}), syscall.Listen(busy, 0)); err != nil {
		t.Fatal(err)
	}
	for { // until no more are taken
		client, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(client)
		if err := syscall.Connect(client, &syscall.SockaddrUnix{Name: full}); err != nil {
			break
		}
	}
	if l, err := Listen(full); err == nil || !strings.Contains(err.Error(), "another proxy is running") {
		t.Errorf("a socket whose process is busy: %v", err)
		if err == nil {
			l.Close()
		}
	}
	if _, err := os.Lstat(full); err != nil {
		t.Errorf("the socket of a busy process: %v", err)
	}
	if text, err := os.ReadFile(letter); err != nil || string(text) != "Dear Sir" {
		t.Errorf("the file is now %q, %v", text, err)
	}
}
