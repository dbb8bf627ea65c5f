package wire

import (
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// fault D3's kind: event streams are read in every spelling that their standard allows, and
// a last answer that lacks only the blank line behind it is taken.
func TestEventStreamsInTheirSpellings(t *testing.T) {
	t.Parallel()
	long := `{"a":"` + strings.Repeat("x", 40<<10) + `"}`
	for name, test := range map[string]struct {
		stream string
		want   []string
		lastID string
		retry  time.Duration
	}{
		"carriage returns":               {stream: "event: ping\rdata: a\r\rid: 7\rdata: b\rdata: c\r\r", want: []string{"ping: a", ": b\nc"}, lastID: "7"},
		"all three line ends":            {stream: "data: a\r\n\r\ndata: b\r\rdata: c\n\n", want: []string{": a", ": b", ": c"}},
		"a byte order mark":              {stream: "\ufeffdata: a\n\n", want: []string{": a"}},
		"a mark that is none":            {stream: "\xef: a\ndata: b\n\n", want: []string{": b"}},
		"an event's type behind it":      {stream: "data: " + long + "\nevent: ping\n\n", want: []string{"ping: " + long}},
		"comments between":               {stream: ":\n:x\ndata: a\n:y\ndata: b\n\n:\n\n", want: []string{": a\nb"}},
		"no blank line at the end":       {stream: "id: 9\ndata: {\"a\":1}\n", want: []string{`: {"a":1}`}, lastID: "9"},
		"no line end at the end":         {stream: "data: {\"a\":1}", want: []string{`: {"a":1}`}},
		"cut off":                        {stream: "id: 9\ndata: {\"a\":", want: nil},
		"long, no blank line at the end": {stream: "data: " + long + "\n", want: []string{": " + long}},
		"long and cut off":               {stream: "data: " + long[:len(long)-1], want: nil},
		"ids that no header can carry": {stream: "id: 1\ndata: a\n\nid: 2\x00\nid: 3\x01\nid: " + strings.Repeat("4", 5000) + "\ndata: b\n\n",
			want: []string{": a", ": b"}, lastID: "1"},
		"a pause that is too long": {stream: "retry: 9223372036854775807\ndata: a\n\n", want: []string{": a"}, retry: time.Minute},
		"a pause without end":      {stream: "retry: 99999999999999999999999\ndata: a\n\n", want: []string{": a"}, retry: time.Minute},
		"pauses that are none":     {stream: "retry: -1\nretry: 1.5\nretry:\nretry: x\ndata: a\n\n", want: []string{": a"}},
	} {
		t.Run(name, func(t *testing.T) {
			reader := newEventReader(strings.NewReader(test.stream))
			var got []string
			for e, err := reader.Next(); err == nil; e, err = reader.Next() {
				got = append(got, e.Type+": "+string(e.Data))
			}
			if !slices.Equal(got, test.want) || reader.LastID != test.lastID || reader.Retry != test.retry {
				t.Errorf("%.200q, last id %q, pause %s", got, reader.LastID, reader.Retry)
			}
			if pieces := events(iotest.OneByteReader(strings.NewReader(test.stream))); !slices.Equal(pieces, test.want) {
				t.Errorf("in pieces %.200q", pieces)
			}
		})
	}
}

// fault C5's kind: a child that floods a stream is read at a bounded pace, and not held up
// once it has ended.
func TestAFloodIsReadAtABoundedPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, alive := time.Now(), make(chan struct{})
		var lines, large flood
		for range 100 * floodLines {
			lines.slow(10, alive)
		}
		if took := time.Since(begun); took != 100*floodWindow {
			t.Errorf("short lines took %s", took)
		}
		begun = time.Now()
		for range 1000 {
			large.slow(floodBytes/10, alive)
		}
		if took := time.Since(begun); took < 90*floodWindow {
			t.Errorf("long lines took %s", took)
		}
		begun = time.Now()
		close(alive)
		for range 100 * floodLines {
			lines.slow(10, alive)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("what was left of a child that ended took %s", took)
		}
	})
}
