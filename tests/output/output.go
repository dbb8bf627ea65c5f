// Package output holds what programs and loggers write, for tests that read it in the
// meantime.
package output

import (
	"bytes"
	"sync"
)

// Buffer may be written and read by several goroutines at once. Its zero value is ready
// for use; it must not be copied.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends; it never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String is all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
