package main

import (
	"errors"
	"fmt"
	"testing"

	"mcpproxy/admin/client"
	"mcpproxy/store"
)

// A proxy that ends, or takes the store, between two looks is looked at once more; what
// stays so, and what is wrong otherwise, is said.
func TestAgain(t *testing.T) {
	taken := fmt.Errorf("%w, and its store cannot be read: %w", client.ErrNotRunning, store.ErrLocked)
	damaged := fmt.Errorf("it cannot be read: %w", store.ErrCorrupt)
	for _, c := range []struct {
		answers []error
		want    error
	}{
		{[]error{nil}, nil},
		{[]error{taken, nil}, nil},
		{[]error{damaged, nil}, damaged},
		{[]error{taken, damaged}, damaged},
		{[]error{taken, taken, nil}, taken},
	} {
		read := 0
		value, err := again(func() (int, error) { read++; return read, c.answers[read-1] })
		if !errors.Is(err, c.want) || value != read {
			t.Errorf("%v: the value %d of %d and %v", c.answers, value, read, err)
		}
	}
}
