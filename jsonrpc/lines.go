package jsonrpc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxLine bounds one message on a stdio transport, in bytes.
const MaxLine = 64 << 20

// ErrTooLong says that a line is longer than [MaxLine].
var ErrTooLong = errors.New("the message is longer than 64 MiB")

// LineReader reads messages that are separated by newlines (MCP's stdio
// transport). One goroutine may use it at a time.
type LineReader struct{ buffered *bufio.Reader }

// NewLineReader reads from r.
func NewLineReader(r io.Reader) *LineReader { return &LineReader{bufio.NewReaderSize(r, 64<<10)} }

// Next returns the next line that is not empty, without its newline; the bytes
// are the caller's. It returns io.EOF at the end and [ErrTooLong] for a line
// beyond the bound, after which reading cannot go on.
func (l *LineReader) Next() ([]byte, error) {
	for {
		line, err := l.line()
		if line = bytes.TrimSpace(line); len(line) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *LineReader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := l.buffered.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > MaxLine {
			return nil, ErrTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// LineWriter writes messages as lines. It is safe for concurrent use; each
// message is written whole.
type LineWriter struct {
	mu     sync.Mutex
	w      io.Writer
	buffer []byte
}

// NewLineWriter writes to w.
func NewLineWriter(w io.Writer) *LineWriter { return &LineWriter{w: w} }

// Write writes one message. A raw newline between the tokens of a raw part
// becomes a space, which means the same in JSON.
func (l *LineWriter) Write(m *Message) error { return l.write(m.Append) }

// WriteBatch writes messages as one batch.
func (l *LineWriter) WriteBatch(messages []*Message) error {
	return l.write(func(buffer []byte) []byte { return AppendBatch(buffer, messages) })
}

func (l *LineWriter) write(appendTo func([]byte) []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buffer = appendTo(l.buffer[:0])
	for i, b := range l.buffer {
		if b == '\n' || b == '\r' {
			l.buffer[i] = ' '
		}
	}
	l.buffer = append(l.buffer, '\n')
	if _, err := l.w.Write(l.buffer); err != nil {
		return fmt.Errorf("writing a message: %w", err)
	}
	if cap(l.buffer) > 1<<20 {
		l.buffer = nil
	}
	return nil
}
