package proxy

import (
	"bytes"
	"io"
	"math/bits"
	"net/http"
	"sync"
)

// maxBody bounds one message of a client, in bytes.
const maxBody = 64 << 20

// Buffers between smallest and largest, in powers of two, are lent again.
const (
	smallest = 12 // 4 KiB
	largest  = 22 // 4 MiB
)

// buffers lends the memory that messages are read into and written from.
type buffers struct {
	lent [largest - smallest + 1]sync.Pool
}

// take returns a buffer of no length that has room for size bytes.
func (b *buffers) take(size int) *[]byte {
	class := max(bits.Len(uint(max(size-1, 0))), smallest)
	if class > largest {
		fresh := make([]byte, 0, size)
		return &fresh
	}
	if used, ok := b.lent[class-smallest].Get().(*[]byte); ok {
		return used
	}
	fresh := make([]byte, 0, 1<<class)
	return &fresh
}

// give takes a buffer back; nobody may use its bytes any more.
func (b *buffers) give(used *[]byte) {
	class := bits.Len(uint(cap(*used))) - 1
	if class < smallest || class > largest {
		return
	}
	*used = (*used)[:0]
	b.lent[class-smallest].Put(used)
}

// read reads one message of a client, of a bounded length. The memory for a long one
// comes as it does: its length is only what the client says. The error is a
// [*http.MaxBytesError] for one that is too long.
func (b *buffers) read(w http.ResponseWriter, r *http.Request) (*[]byte, error) {
	if r.ContentLength >= 0 && r.ContentLength <= 1<<largest {
		body := b.take(int(r.ContentLength))
		*body = (*body)[:r.ContentLength]
		_, err := io.ReadFull(r.Body, *body)
		return body, err
	}
	var body bytes.Buffer
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	read := body.Bytes()
	return &read, err
}
