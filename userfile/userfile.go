// Package userfile reads the files that a user names: configurations, tokens, keys.
//
// It promises that no file holds the program up: one that is a pipe is read for as long
// as [Limit] lets it be, whether anybody writes to it or not, and of one without an end no
// more than [Largest] is read. It decides nothing about what is in a file.
package userfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// Limit is how long a file may take to be read.
	Limit = 5 * time.Second
	// Largest is how much a file may hold, in bytes.
	Largest = 16 << 20
)

// ErrTooLarge says that a file holds more than [Largest].
var ErrTooLarge = errors.New("it is too large to be what it should be")

// Read returns what a file holds. Its errors are those of os.ReadFile, [ErrTooLarge], and
// [os.ErrDeadlineExceeded] for a pipe whose writer has not come to an end within [Limit].
// A pipe that nobody writes to is empty.
func Read(path string) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return ReadAll(file)
}

// Open opens a file without waiting for someone at its other end, to be looked at and
// then read with [ReadAll]. The caller closes it.
func Open(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|withoutWaiting, 0)
}

// ReadAll returns what is left in a file that was opened by [Open]; see [Read].
func ReadAll(file *os.File) ([]byte, error) {
	path := file.Name()
	_ = file.SetReadDeadline(time.Now().Add(Limit)) // files on disk have none, and need none
	text, err := io.ReadAll(io.LimitReader(file, Largest+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("read %s: what writes to it has not ended in %s: %w", path, Limit, err)
	case err != nil:
		return nil, err
	case len(text) > Largest:
		return nil, fmt.Errorf("read %s: %w (more than %d MiB)", path, ErrTooLarge, Largest>>20)
	}
	return text, nil
}
