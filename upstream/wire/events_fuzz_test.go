package wire

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// Whatever a server streams, its events are the same however the bytes come.
func FuzzEvents(f *testing.F) {
	f.Add("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"a\":1.0}}\n\n")
	f.Add("id: 1\nretry: 10\ndata: a\ndata: b\n\n: comment\r\ndata\r\n\r\ndata: cut")
	f.Add("data: " + strings.Repeat("x", 20<<10) + "\ndata: y\n\n")
	f.Add("\ufeffdata: a\rdata: b\r\n\r\rdata: {}")
	f.Fuzz(func(t *testing.T, text string) {
		whole, pieces := events(strings.NewReader(text)), events(iotest.OneByteReader(strings.NewReader(text)))
		if strings.Join(whole, "\x00") != strings.Join(pieces, "\x00") {
			t.Errorf("%q became %q in pieces", whole, pieces)
		}
	})
}

// events are the data of all events of a stream.
func events(r io.Reader) (all []string) {
	reader := newEventReader(r)
	for {
		e, err := reader.Next()
		if err != nil {
			return all
		}
		all = append(all, e.Type+": "+string(e.Data))
	}
}
