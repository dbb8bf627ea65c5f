package wire

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// maxEvent bounds one server-sent event, in bytes.
const maxEvent = 64 << 20

var errEventTooLong = fmt.Errorf("%w: a server-sent event is longer than 64 MiB", ErrTooLarge)

// event is one server-sent event (WHATWG HTML, section 9.2).
type event struct {
	ID   string
	Type string // empty for messages
	Data []byte
	// Rest, if set, yields the data that is not in Data. It has to be read to its end.
	Rest io.Reader
}

// eventReader reads a stream of server-sent events.
type eventReader struct {
	lines *bufio.Reader
	// LastID is the id of the last event that came whole, to resume from.
	LastID string
	// Retry is the pause that the server asked for, or 0.
	Retry time.Duration

	id, kind string // of the event that is being read
	begun    bool
}

func newEventReader(r io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReaderSize(&lineEnds{from: r}, 16<<10)}
}

// newStandingReader is for a stream that stands open for notifications, which are
// short: each connected upstream has one, and its buffer.
func newStandingReader(r io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReaderSize(&lineEnds{from: r}, 2<<10)}
}

// lineEnds makes the three ends of a line that event streams may have one, the line feed.
type lineEnds struct {
	from   io.Reader
	behind bool // the last byte was a carriage return
}

func (l *lineEnds) Read(buffer []byte) (int, error) {
	n, err := l.from.Read(buffer)
	text := buffer[:n]
	if !l.behind && bytes.IndexByte(text, '\r') < 0 {
		return n, err
	}
	kept := text[:0]
	for _, b := range text {
		behind := l.behind
		if l.behind = b == '\r'; l.behind {
			b = '\n'
		} else if behind && b == '\n' {
			continue
		}
		kept = append(kept, b)
	}
	return len(kept), err
}

// skipMark passes over the byte order mark that a stream may begin with.
func (r *eventReader) skipMark() {
	r.begun = true
	if first, _ := r.lines.Peek(1); string(first) != "\xef" {
		return
	}
	if mark, _ := r.lines.Peek(3); string(mark) == "\ufeff" {
		_, _ = r.lines.Discard(len(mark)) // they are there
	}
}

// Next returns the next event that has data. At the end it returns io.EOF; an
// event that the end cut off is dropped, but for a whole text of JSON that lacks only the
// blank line behind it.
func (r *eventReader) Next() (event, error) {
	e, err := r.Begin()
	if err == nil && e.Rest != nil {
		e.Data, err = readRest(e.Data, e.Rest, maxEvent)
		e.Rest, e.Type = nil, r.kind // which may have come behind the data
	}
	return e, err
}

// Begin is like Next, but returns an event with a long line of data when its
// beginning is there.
func (r *eventReader) Begin() (event, error) {
	var data []byte
	r.id, r.kind = r.LastID, ""
	if !r.begun {
		r.skipMark()
	}
	for {
		line, err := r.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if value, ok := bytes.CutPrefix(line, []byte("data:")); ok && data == nil {
				return event{ID: r.id, Type: r.kind, Data: bytes.Clone(bytes.TrimPrefix(value, []byte(" "))), Rest: &eventRest{events: r}}, nil
			}
			line, err = r.longLine(line)
		}
		last := err == io.EOF //nolint:errorlint // the end itself, and not one that cut something off
		if err != nil && !last {
			return event{}, err
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(line) == 0 {
			if last && !json.Valid(data) {
				return event{}, err
			}
			r.LastID = r.id
			if data != nil {
				return event{ID: r.id, Type: r.kind, Data: data}, nil
			}
			r.kind = ""
			continue
		}
		if value, ok := r.field(line); ok {
			if data != nil {
				data = append(data, '\n')
			} else {
				data = make([]byte, 0, len(value))
			}
			if data = append(data, value...); len(data) > maxEvent {
				return event{}, errEventTooLong
			}
		}
	}
}

// longestID bounds the id of an event, in bytes: it goes back in a header.
const longestID = 4 << 10

// sendable reports whether an id can be sent back in a header.
func sendable(id []byte) bool {
	return len(id) <= longestID && bytes.IndexFunc(id, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) < 0
}

// field takes one line of an event; ok says that it is data.
func (r *eventReader) field(line []byte) (data []byte, ok bool) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "data":
		return value, true
	case "id":
		if sendable(value) {
			r.id = string(value)
		}
	case "event":
		if r.kind = string(value); r.kind == "message" {
			r.kind = ""
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
			r.Retry = time.Duration(min(ms, 60_000)) * time.Millisecond
		}
	}
	return nil, false
}

// eventRest yields what is left of an event's data.
type eventRest struct {
	events   *eventReader
	left     []byte // belongs to the buffer
	lineOver bool
	over     bool
}

func (e *eventRest) Read(buffer []byte) (int, error) {
	for len(e.left) == 0 {
		if e.over {
			return 0, io.EOF
		}
		if err := e.next(); err != nil {
			return 0, unexpected(err)
		}
	}
	n := copy(buffer, e.left)
	e.left = e.left[n:]
	return n, nil
}

// next reads on to more data, or to the end of the event.
func (e *eventRest) next() error {
	if !e.lineOver {
		part, err := e.events.lines.ReadSlice('\n')
		e.left = part
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil
		}
		e.lineOver, e.left = true, bytes.TrimSuffix(part, []byte("\n"))
		return err
	}
	line, err := e.events.line()
	if err != nil && (err != io.EOF || len(line) > 0) { //nolint:errorlint // as in Begin
		return err
	}
	if len(line) == 0 { // or the end, behind a whole line
		e.over, e.events.LastID = true, e.events.id
	} else if value, ok := e.events.field(line); ok {
		e.left = append([]byte{'\n'}, value...)
	}
	return nil
}

// line returns one line without its ending, and what there is of one with an error.
func (r *eventReader) line() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.longLine(line)
	}
	return bytes.TrimSuffix(line, []byte("\n")), err
}

func (r *eventReader) longLine(begin []byte) ([]byte, error) {
	line := bytes.Clone(begin)
	for {
		part, err := r.lines.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxEvent {
			return nil, errEventTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
