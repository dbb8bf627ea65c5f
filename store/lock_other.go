//go:build !unix || solaris || aix

package store

import (
	"context"
	"os"
	"time"
)

// lock leaves it to bbolt, which takes its lock next.
func lock(context.Context, *os.File, bool, time.Duration) error { return nil }

// alive cannot be told; a holder is believed.
func alive(pid int) bool { return pid > 0 }
