//go:build failpoint

package store

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// failpoint kills this process, as kill -9 does, at the stage that the environment
// names: MCPPROXY_FAILPOINT=write:stage:n at the nth time. Only the programs that
// tests build have it.
func failpoint() Staged {
	parts := strings.Split(os.Getenv("MCPPROXY_FAILPOINT"), ":")
	if len(parts) != 3 {
		return nil
	}
	nth, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil
	}
	var passed atomic.Int64
	return func(write, _ string, stage Stage) error {
		if write == parts[0] && string(stage) == parts[1] && passed.Add(1) == nth {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		return nil
	}
}
