package proxy

import (
	"sync/atomic"
	"time"
)

// seldom is for what would be logged too often otherwise.
type seldom struct{ last atomic.Int64 }

// often is how much time lies between two times at least.
const often = 10 * time.Second

// now reports whether it is time again.
func (s *seldom) now() bool {
	now, last := time.Now().UnixNano(), s.last.Load()
	return (last == 0 || now-last >= int64(often)) && s.last.CompareAndSwap(last, now)
}
