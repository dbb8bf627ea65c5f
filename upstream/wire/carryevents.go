package wire

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"mcpproxy/jsonrpc"
)

// packing is under mcp-go's transport of server-sent events.
type packing struct {
	next http.RoundTripper
	// asked is given the requests of the server, which that transport does not know;
	// ctx is that of the stream.
	asked func(ctx context.Context, m *jsonrpc.Message)
}

func (p *packing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && request.Body != nil {
		text, err := io.ReadAll(request.Body)
		_ = request.Body.Close()
		if err != nil {
			return nil, err
		}
		m, err := unpackMessage(text)
		if err != nil {
			return nil, err
		}
		request = request.Clone(request.Context())
		setBody(request, m.Encode())
	}
	response, err := p.next.RoundTrip(request)
	if err == nil && mediaType(response) == "text/event-stream" {
		ctx := request.Context()
		response.Body = &packingEvents{inner: response.Body, lines: newEventReader(response.Body), asked: func(m *jsonrpc.Message) { p.asked(ctx, m) }}
	}
	return response, err
}

// packingEvents packs the data of server-sent events.
type packingEvents struct {
	inner io.Closer
	lines *eventReader
	asked func(*jsonrpc.Message)
	data  []byte // of the event that is being read, or nil
	left  []byte
}

func (r *packingEvents) Read(buffer []byte) (int, error) {
	for len(r.left) == 0 {
		line, err := r.lines.line()
		if err != nil {
			return 0, err
		}
		if err := r.take(line); err != nil {
			return 0, err
		}
	}
	n := copy(buffer, r.left)
	r.left = r.left[n:]
	return n, nil
}

func (r *packingEvents) take(line []byte) error {
	value, isData := r.lines.field(line)
	switch {
	case isData:
		if r.data == nil {
			r.data = make([]byte, 0, len(value))
		} else {
			r.data = append(r.data, '\n')
		}
		if r.data = append(r.data, value...); len(r.data) > maxEvent {
			return errEventTooLong
		}
	case len(line) == 0 && r.data != nil:
		data := r.data
		r.data = nil
		if m, err := jsonrpc.Decode(data); err == nil && m.IsRequest() {
			r.asked(m)
			return nil
		}
		text := bytes.ReplaceAll(packMessage(data), []byte("\n"), []byte("\ndata: "))
		r.left = append(append([]byte("data: "), text...), "\n\n"...)
	default:
		r.left = append(bytes.Clone(line), '\n')
	}
	return nil
}

func (r *packingEvents) Close() error { return r.inner.Close() }
