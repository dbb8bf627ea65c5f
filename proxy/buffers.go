package proxy

import (
	"math/bits"
	"sync"
)

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
