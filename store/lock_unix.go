//go:build unix && !solaris && !aix

package store

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	bbolterrors "go.etcd.io/bbolt/errors"
)

// lockEvery is how often a lock that another process has is tried again.
const lockEvery = 10 * time.Millisecond

// lock takes the lock that bbolt takes on the same file then, which is that of the open
// file. It returns bbolt's ErrTimeout where another process has it for longer, and the
// context's error where that ends before.
func lock(ctx context.Context, file *os.File, exclusive bool, limit time.Duration) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for deadline := time.Now().Add(limit); ; {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if err == nil || !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return err
		}
		if time.Now().After(deadline) {
			return bbolterrors.ErrTimeout
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}

// alive reports whether there is a process of this number.
func alive(pid int) bool {
	return pid > 0 && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}
