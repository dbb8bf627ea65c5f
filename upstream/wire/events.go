package wire

import (
	"bufio"
	"bytes"
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
}

func newEventReader(r io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReaderSize(r, 16<<10)}
}

// newStandingReader is for a stream that stands open for notifications, which are
// short: each connected upstream has one, and its buffer.
func newStandingReader(r io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReaderSize(r, 2<<10)}
}

// Next returns the next event that has data. At the end it returns io.EOF; an
// event that the end cut off is dropped.
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
	for {
		line, err := r.lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if value, ok := bytes.CutPrefix(line, []byte("data:")); ok && data == nil {
				return event{ID: r.id, Type: r.kind, Data: bytes.Clone(bytes.TrimPrefix(value, []byte(" "))), Rest: &eventRest{events: r}}, nil
			}
			line, err = r.longLine(line)
		}
		if err != nil {
			return event{}, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
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

// field takes one line of an event; ok says that it is data.
func (r *eventReader) field(line []byte) (data []byte, ok bool) {
	field, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(field) {
	case "data":
		return value, true
	case "id":
		if !bytes.ContainsRune(value, 0) {
			r.id = string(value)
		}
	case "event":
		if r.kind = string(value); r.kind == "message" {
			r.kind = ""
		}
	case "retry":
		if ms, err := strconv.Atoi(string(value)); err == nil && ms >= 0 {
			r.Retry = min(time.Duration(ms)*time.Millisecond, time.Minute)
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
		e.lineOver, e.left = true, bytes.TrimRight(part, "\r\n")
		return err
	}
	line, err := e.events.line()
	if err != nil {
		return err
	}
	if len(line) == 0 {
		e.over, e.events.LastID = true, e.events.id
	} else if value, ok := e.events.field(line); ok {
		e.left = append([]byte{'\n'}, value...)
	}
	return nil
}

// line returns one line without its ending, which is LF or CR LF.
func (r *eventReader) line() ([]byte, error) {
	line, err := r.lines.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.longLine(line)
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
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
