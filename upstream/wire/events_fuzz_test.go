package wire

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mcpproxy/jsonrpc"
)

// Whatever a server streams, its events are the same however the bytes come, and
// packing them for mcp-go's transport loses none.
func FuzzEvents(f *testing.F) {
	f.Add("event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"n\",\"params\":{\"a\":1.0}}\n\n")
	f.Add("id: 1\nretry: 10\ndata: a\ndata: b\n\n: comment\r\ndata\r\n\r\ndata: cut")
	f.Add("data: " + strings.Repeat("x", 20<<10) + "\ndata: y\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		whole, pieces := events(strings.NewReader(text)), events(iotest.OneByteReader(strings.NewReader(text)))
		if strings.Join(whole, "\x00") != strings.Join(pieces, "\x00") {
			t.Errorf("%q became %q in pieces", whole, pieces)
		}
		lines := strings.NewReader(text)
		asked := 0
		carried, err := io.ReadAll(&packingEvents{inner: io.NopCloser(lines), lines: newEventReader(lines), asked: func(*jsonrpc.Message) { asked++ }})
		if err != nil {
			t.Fatal(err)
		}
		if packed := events(bytes.NewReader(carried)); len(packed)+asked != len(whole) {
			t.Errorf("of %d events %d were carried and %d asked", len(whole), len(packed), asked)
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
		all = append(all, string(e.Data))
	}
}
