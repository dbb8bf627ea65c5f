package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"time"
)

// maxEvent bounds one server-sent event, in bytes.
const maxEvent = 64 << 20

var errEventTooLong = errors.New("a server-sent event is longer than 64 MiB")

// event is one server-sent event (WHATWG HTML, section 9.2).
type event struct {
	ID   string
	Data []byte
}

// eventReader reads a stream of server-sent events.
type eventReader struct {
	lines *bufio.Reader
	// LastID is the last event id of the stream, to resume from.
	LastID string
	// Retry is the pause that the server asked for, or 0.
	Retry time.Duration
}

func newEventReader(r io.Reader) *eventReader {
	return &eventReader{lines: bufio.NewReaderSize(r, 16<<10)}
}

// Next returns the next event that has data. At the end it returns io.EOF; an
// event that the end cut off is dropped.
func (r *eventReader) Next() (event, error) {
	var e event
	for {
		line, err := r.line()
		if err != nil {
			return event{}, err
		}
		if len(line) == 0 {
			if e.Data != nil {
				e.ID = r.LastID
				return e, nil
			}
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(field) {
		case "data":
			if e.Data != nil {
				e.Data = append(e.Data, '\n')
			} else {
				e.Data = []byte{}
			}
			if e.Data = append(e.Data, value...); len(e.Data) > maxEvent {
				return event{}, errEventTooLong
			}
		case "id":
			if !bytes.ContainsRune(value, 0) {
				r.LastID = string(value)
			}
		case "retry":
			if ms, err := strconv.Atoi(string(value)); err == nil && ms >= 0 {
				r.Retry = min(time.Duration(ms)*time.Millisecond, time.Minute)
			}
		}
	}
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
