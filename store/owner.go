package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	bbolterrors "go.etcd.io/bbolt/errors"
)

// owner is what the holder of the lock says about itself in a file beside the
// store. It is believed only while the lock is held.
type owner struct {
	PID    int       `json:"pid"`
	Since  time.Time `json:"since"`
	Socket string    `json:"socket,omitempty"`
}

func ownerPath(path string) string { return path + ".owner" }

func writeOwner(path, socket string) error {
	text, err := json.Marshal(owner{PID: os.Getpid(), Since: time.Now().UTC(), Socket: socket})
	if err != nil {
		return err
	}
	if err := os.WriteFile(ownerPath(path), text, 0o600); err != nil {
		return fmt.Errorf("saying who holds the store: %w", err)
	}
	return nil
}

func removeOwner(path string) { _ = os.Remove(ownerPath(path)) } // a stale one is not believed

// Holder is the process that has the store open to write, or nil where none has. Where the
// system's locks cannot be looked at it is nil.
func Holder(path string) *LockedError {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close() // and with it the lock
	if !errors.Is(lock(context.Background(), file, false, 0), bbolterrors.ErrTimeout) {
		return nil
	}
	return lockedBy(path)
}

// introduction is how long a holder may take to say who it is: it does so as soon as it
// has the lock. Who only reads never does.
const introduction = 200 * time.Millisecond

func lockedBy(path string) *LockedError {
	locked := &LockedError{Path: path}
	for deadline := time.Now().Add(introduction); ; time.Sleep(introduction / 20) {
		text, err := os.ReadFile(ownerPath(path))
		var o owner
		if err == nil && json.Unmarshal(text, &o) == nil && alive(o.PID) {
			locked.PID, locked.Since, locked.Socket = o.PID, o.Since, o.Socket
			return locked
		}
		if time.Now().After(deadline) {
			return locked
		}
	}
}
