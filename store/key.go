package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/zalando/go-keyring"

	"mcpproxy/userfile"
)

// KeySize is the length of an encryption key in bytes.
const KeySize = 32

// KeySource holds the key of a store.
type KeySource interface {
	// Find returns the key and, for users, where it is; a nil key if there is none.
	Find(ctx context.Context) (key []byte, origin string, err error)
	// Make makes a key and keeps it.
	Make(ctx context.Context) (key []byte, origin string, err error)
}

// DefaultKeys is the OS keyring, or a 0600 file beside the store at path where
// the system has none that answers.
func DefaultKeys(path string) KeySource {
	return fallback{keyringKeys{account: keyringAccount(path)}, FileKeys(path + ".key")}
}

func keyringAccount(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return path
}

// fallback asks the second source where the first cannot be used. A key that is
// in either is found.
type fallback struct{ first, second KeySource }

func (f fallback) Find(ctx context.Context) ([]byte, string, error) {
	if key, origin, err := f.second.Find(ctx); key != nil || err != nil {
		return key, origin, err
	}
	key, origin, err := f.first.Find(ctx)
	if err != nil {
		return nil, "", nil // a keyring that cannot be used holds no key of ours
	}
	return key, origin, nil
}

func (f fallback) Make(ctx context.Context) ([]byte, string, error) {
	if key, origin, err := f.first.Make(ctx); err == nil {
		return key, origin, nil
	}
	return f.second.Make(ctx)
}

// keyringService is the name under which keys are in the OS keyring.
const keyringService = "mcpproxy"

// keyringLimit bounds how long a keyring, or a key file, may take: some ask a user.
const keyringLimit = 3 * time.Second

type keyringKeys struct{ account string }

func (k keyringKeys) Find(ctx context.Context) ([]byte, string, error) {
	text, err := bounded(ctx, func() (string, error) { return keyring.Get(keyringService, k.account) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("the OS keyring: %w", err)
	}
	key, err := decodeKey(text)
	return key, "the OS keyring", err
}

func (k keyringKeys) Make(ctx context.Context) ([]byte, string, error) {
	if runtime.GOOS == "linux" && os.Getenv("DBUS_SESSION_BUS_ADDRESS") == "" {
		return nil, "", errors.New("there is no session bus, so no keyring")
	}
	key := newKey()
	_, err := bounded(ctx, func() (string, error) {
		return "", keyring.Set(keyringService, k.account, hex.EncodeToString(key))
	})
	return key, "the OS keyring", err
}

// bounded gives up what does not answer. Its goroutine ends with the asking.
func bounded(ctx context.Context, ask func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := ask()
		answered <- answer{text, err}
	}()
	ctx, cancel := context.WithTimeout(ctx, keyringLimit)
	defer cancel()
	select {
	case a := <-answered:
		return a.text, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("it did not answer: %w", ctx.Err())
	}
}

// FileKeys keeps the key in a file with the mode 0600.
func FileKeys(path string) KeySource { return fileKeys(path) }

type fileKeys string

func (f fileKeys) origin() string { return "the key file " + string(f) }

func (f fileKeys) Find(context.Context) ([]byte, string, error) {
	text, err := userfile.Read(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("the key file: %w", err)
	}
	key, err := decodeKey(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, "", fmt.Errorf("the key file %s: %w", string(f), err)
	}
	origin, err := f.narrow()
	return key, origin, err
}

// narrow takes access to the key away from other users, and says so in the origin.
func (f fileKeys) narrow() (origin string, err error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return "", fmt.Errorf("the key file: %w", err)
	}
	mode := info.Mode().Perm()
	if runtime.GOOS == "windows" || mode&0o077 == 0 || !info.Mode().IsRegular() {
		return f.origin(), nil
	}
	if err := os.Chmod(string(f), mode&0o700); err != nil {
		return "", fmt.Errorf("the key file %s is open to other users (mode %04o), and that could not be changed; give it the mode 0600, or "+
			"0400 where it is given to this program: %w", string(f), mode, err)
	}
	return fmt.Sprintf("%s, which was open to other users (mode %04o) until now", f.origin(), mode), nil
}

func (f fileKeys) Make(context.Context) ([]byte, string, error) {
	if _, err := os.Lstat(string(f)); err == nil {
		return nil, "", fmt.Errorf("the key file could not be made: %s: %w", string(f), fs.ErrExist)
	}
	// Made beside and named when it is whole: half a key locks its store for good.
	file, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".new-")
	if err != nil {
		return nil, "", fmt.Errorf("the key file could not be made: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	key := newKey()
	_, err = file.WriteString(hex.EncodeToString(key) + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, "", fmt.Errorf("the key file could not be written: %w", err)
	}
	if err := appear(file.Name(), string(f)); err != nil {
		return nil, "", err
	}
	return key, f.origin(), nil
}

func newKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	return key
}

func decodeKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("it does not hold a key of %d hexadecimal digits; bring the right key back, or move the store and its key "+
			"away and log in again", 2*KeySize)
	}
	return key, nil
}
