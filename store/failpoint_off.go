//go:build !failpoint

package store

// failpoint is nothing in the programs that people use.
func failpoint() Staged { return nil }
