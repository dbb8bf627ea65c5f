//go:build !failpoint

package store

// failpoint is nothing in the programs that users use.
func failpoint() Staged { return nil }
