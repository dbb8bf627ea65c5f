package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcpproxy/store"

	"github.com/zalando/go-keyring"
)

// Where the system has a keyring the key is kept there and no key file is made;
// where it has none, in a file beside the store. The origin says which.
func TestKeyIsInTheKeyringOrBesideTheStore(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/dev/null") // a keyring is asked only where there may be one
	for name, test := range map[string]struct {
		keyring func()
		origin  string
		file    bool
	}{
		"a keyring":              {keyring.MockInit, "the OS keyring", false},
		"a keyring that refuses": {func() { keyring.MockInitWithError(errors.New("locked")) }, "the key file ", true},
	} {
		t.Run(name, func(t *testing.T) {
			test.keyring()
			path := filepath.Join(t.TempDir(), "store.db")
			for range 2 { // made by the first opening, found by the second
				s, err := store.Open(t.Context(), path, store.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(s.KeyOrigin(), test.origin) {
					t.Errorf("the key is in %q", s.KeyOrigin())
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			info, err := os.Stat(path + ".key")
			if made := err == nil; made != test.file {
				t.Errorf("a key file was made: %t", made)
			}
			if test.file && info.Mode().Perm() != 0o600 {
				t.Errorf("the key file has the mode %v", info.Mode())
			}
		})
	}
}

// A keyring that cannot be used any more is not the absence of a key: the store is
// left as it is, and no new key is made.
func TestLostKeyringIsNotANewKey(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/dev/null")
	keyring.MockInit()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := store.Open(t.Context(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	keyring.MockInitWithError(errors.New("locked"))
	if _, err := store.Open(t.Context(), path, store.Options{}); !errors.Is(err, store.ErrKeyMissing) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(path + ".key"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a key file was made")
	}
}
