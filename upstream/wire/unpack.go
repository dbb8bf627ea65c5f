package wire

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// ErrTooLarge says that an answer is larger than this program takes. The request was
// carried out.
var ErrTooLarge = errors.New("the server's answer is too large")

// An answer may be expansion times as long as what was sent of it, and any answer
// freeExpansion bytes: texts are seldom a twentieth of their length when packed, what is
// made to fill a memory is a thousandth.
const (
	expansion     = 100
	freeExpansion = 8 << 20
)

// Unpacking asks for packed answers and unpacks them while they are read, within bounds.
// net/http does the same without any. Answers that are packed in a way nobody asked for
// are refused.
func Unpacking(next http.RoundTripper) http.RoundTripper { return &unpacking{next} }

type unpacking struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper]. The request's header must be the caller's own.
func (u *unpacking) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Header.Get("Accept-Encoding") == "" {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := u.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	switch coding := strings.ToLower(response.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		response.Body = &unpacked{body: response.Body, sent: &counted{from: response.Body}}
		response.ContentLength, response.Uncompressed = -1, true
		response.Header.Del("Content-Encoding")
		response.Header.Del("Content-Length")
	default:
		_ = response.Body.Close()
		return nil, fmt.Errorf("%w: its answer has the content coding %q, which was not asked for", ErrProtocol, coding)
	}
	return response, nil
}

// unpacked is a packed body's content. The first byte is unpacked when it is read: a
// stream may have none for long.
type unpacked struct {
	body    io.Closer
	sent    *counted
	content *gzip.Reader
	length  int64
}

func (u *unpacked) Read(buffer []byte) (int, error) {
	if u.content == nil {
		content, err := gzip.NewReader(u.sent)
		if err != nil {
			return 0, err // io.EOF for a body that is empty
		}
		u.content = content
	}
	n, err := u.content.Read(buffer)
	u.length += int64(n)
	if u.length > freeExpansion && u.length > expansion*u.sent.length {
		return 0, fmt.Errorf("%w: unpacked it is longer than %d MiB and %d times what was sent", ErrTooLarge, freeExpansion>>20, expansion)
	}
	return n, err
}

func (u *unpacked) Close() error { return u.body.Close() }

// counted counts what is read.
type counted struct {
	from   io.Reader
	length int64
}

func (c *counted) Read(buffer []byte) (int, error) {
	n, err := c.from.Read(buffer)
	c.length += int64(n)
	return n, err
}
