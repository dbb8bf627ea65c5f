package proxy

import (
	"sync"
	"time"
)

// unsubscribeLimit bounds how long an upstream is told that nobody listens.
const unsubscribeLimit = 5 * time.Second

// subscribers counts who listens to which resource, so that one who stops does
// not silence the others.
type subscribers struct {
	mu     sync.Mutex
	counts map[[2]string]int // by upstream and URI
}

// add returns how many listen now.
func (s *subscribers) add(upstream, uri string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[[2]string]int{}
	}
	key := [2]string{upstream, uri}
	s.counts[key]++
	return s.counts[key]
}

// remove returns how many still listen.
func (s *subscribers) remove(upstream, uri string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{upstream, uri}
	if s.counts[key]--; s.counts[key] > 0 {
		return s.counts[key]
	}
	delete(s.counts, key)
	return 0
}
