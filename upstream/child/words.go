package child

import (
	"context"
	"io"
	"sync"
	"time"
)

// The room for what children said: so many lines, so long, of one upstream.
const (
	keptLines  = 500
	longest    = 2 << 10
	keptBytes  = 128 << 10
	shownLines = 10
)

// Stream is where a line was said.
type Stream string

// The streams. The lines of the last two are this program's own: that a child was
// started, and how it ended.
const (
	Stdout  Stream = "stdout"
	Stderr  Stream = "stderr"
	Started Stream = "started"
	Ended   Stream = "ended"
)

// Line is one line of a child's.
type Line struct {
	// Number counts the lines of the upstream; lines between two that are kept may be gone.
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
	Stream Stream    `json:"stream"`
	// Text is as the child said it, cut where it is long. Who prints it cleans it.
	Text string `json:"text"`
}

// Words are the last lines that the children of one upstream said, each on its standard
// error, or on its standard output where it was no message. All methods are safe for
// concurrent use; none waits for a reader. The zero value is ready.
type Words struct {
	mu    sync.Mutex
	lines []Line
	bytes int
	next  uint64
	// more is closed when there is a further line.
	more   chan struct{}
	closed bool
}

// Add keeps a line, and drops the oldest ones for which there is no more room.
func (w *Words) Add(stream Stream, text string) {
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.lines = append(w.lines, Line{Number: w.next, At: time.Now(), Stream: stream, Text: text})
	w.bytes += len(text)
	for len(w.lines) > keptLines || w.bytes > keptBytes {
		w.bytes -= len(w.lines[0].Text)
		w.lines[0] = Line{}
		w.lines = w.lines[1:]
	}
	w.wake()
}

// Close says that there will be no more lines; what is kept stays.
func (w *Words) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.wake()
}

// wake has those who wait look again. w.mu is held.
func (w *Words) wake() {
	if w.more != nil {
		close(w.more)
		w.more = nil
	}
}

// After returns the kept lines with a greater number, the oldest first.
func (w *Words) After(number uint64) []Line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.after(number)
}

func (w *Words) after(number uint64) []Line {
	for i := range w.lines {
		if w.lines[i].Number > number {
			return append([]Line{}, w.lines[i:]...)
		}
	}
	return nil
}

// Last returns the last few lines, the oldest first.
func (w *Words) Last() []Line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Line{}, w.lines[max(0, len(w.lines)-shownLines):]...)
}

// Final is the last line that the last child itself said on its standard error or, where
// it said nothing there, on its standard output; empty where it said nothing.
func (w *Words) Final() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	other := ""
	for i := len(w.lines) - 1; i >= 0 && w.lines[i].Stream != Started; i-- {
		switch line := &w.lines[i]; {
		case line.Stream == Stderr && line.Text != "":
			return line.Text
		case line.Stream == Stdout && other == "":
			other = line.Text
		}
	}
	return other
}

// Wait returns the lines after number once there are some. Its error is ctx's, or io.EOF
// where none will come any more.
func (w *Words) Wait(ctx context.Context, number uint64) ([]Line, error) {
	for {
		w.mu.Lock()
		lines := w.after(number)
		if w.more == nil {
			w.more = make(chan struct{})
		}
		more, closed := w.more, w.closed
		w.mu.Unlock()
		switch {
		case len(lines) > 0:
			return lines, nil
		case closed:
			return nil, io.EOF
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
