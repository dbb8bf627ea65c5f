package wire

import "time"

// What a child may say besides messages in each floodWindow before it is read more slowly
// than it speaks: its pipe fills then, and it waits, where it would take a core of this
// process's otherwise.
const (
	floodWindow = 100 * time.Millisecond
	floodLines  = 500
	floodBytes  = 1 << 20
)

// flood counts what is said on one stream. The zero value is ready.
type flood struct {
	since        time.Time
	lines, bytes int
}

// slow counts a line, and waits for the next window where this one is full, but not for
// the rest of what a child has said that has ended.
func (f *flood) slow(size int, ended <-chan struct{}) {
	f.lines, f.bytes = f.lines+1, f.bytes+size
	if f.lines == 1 {
		f.since = time.Now()
	}
	if f.lines < floodLines && f.bytes < floodBytes {
		return
	}
	if left := floodWindow - time.Since(f.since); left > 0 {
		pause := time.NewTimer(left)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ended:
		}
	}
	f.lines, f.bytes = 0, 0
}
