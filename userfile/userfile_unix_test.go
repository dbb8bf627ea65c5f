//go:build unix

package userfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mcpproxy/userfile"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := userfile.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := userfile.Read(path); err != nil || string(text) != "text" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := userfile.Read(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	if _, err := userfile.Read("/dev/zero"); !errors.Is(err, userfile.ErrTooLarge) {
		t.Errorf("a file without an end: %v", err)
	}
}

// A pipe holds nobody up: what its writer says is read, where there is none it is empty,
// and one that says nothing is given up (fault J13).
func TestAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if text, err := userfile.Read(path); err != nil || len(text) != 0 || time.Since(begin) > userfile.Limit/2 {
		t.Errorf("without a writer: %q, %v after %s", text, err, time.Since(begin))
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0) // which does not wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.WriteString("told"); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = writer.Close() })
	if text, err := userfile.Read(path); err != nil || string(text) != "told" {
		t.Errorf("of a writer: %q, %v", text, err)
	}
	silent, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := userfile.Read(path); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of one that says nothing: %v", err)
	}
}
