package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxBody bounds one message of a client, and shortBody is up to which length one is
// short, in bytes: short ones have room of their own, so that nobody's long ones keep
// them out.
const (
	maxBody   = 64 << 20
	shortBody = 64 << 10
	shortRoom = 64 << 20
)

// Bounds of a long body, in time: it has to begin within roomLimit, something of it has
// to come within every stallLimit, and all of it at leastPace, in bytes a second.
const (
	roomLimit  = 15 * time.Second
	stallLimit = 10 * time.Second
	leastPace  = 256 << 10
)

var (
	errNoRoom  = errors.New("the bodies of other requests take all the room that there is for them; make the request again later")
	errTooSlow = fmt.Errorf("the body of the request came too slowly: nothing for %s, or less than %d KiB in a second; make the request "+
		"again", stallLimit, leastPace>>10)
)

// bodies bounds what is held of all requests together.
type bodies struct {
	buffers *buffers
	limit   func() int // of the long ones, in bytes

	mu          sync.Mutex
	short, long int
	freed       chan struct{} // closed when room was given back; nil while nobody waits
}

// body is one message of a client, as long as someone uses it.
type body struct {
	of    *bodies
	text  *[]byte
	size  int // what is reserved
	users atomic.Int32
}

// use keeps the body's room until another call of done.
func (b *body) use() { b.users.Add(1) }

// done gives the room back where nobody else uses it.
func (b *body) done() {
	if b.users.Add(-1) > 0 {
		return
	}
	b.of.mu.Lock()
	defer b.of.mu.Unlock()
	if b.size <= shortBody {
		b.of.short -= b.size
	} else {
		b.of.long -= b.size
	}
	if b.of.freed != nil {
		close(b.of.freed)
		b.of.freed = nil
	}
}

// reserve waits for room, for a bounded time.
func (s *bodies) reserve(r *http.Request, size int) error {
	var late *time.Timer
	for {
		freed := s.reserved(size)
		if freed == nil {
			return nil
		}
		if late == nil {
			late = time.NewTimer(roomLimit)
			defer late.Stop()
		}
		select {
		case <-freed:
		case <-late.C:
			return errNoRoom
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
}

// reserved takes room; without any it returns what to wait for. One body is always taken.
func (s *bodies) reserved(size int) (freed <-chan struct{}) {
	room, limit := &s.short, shortRoom
	if size > shortBody {
		room, limit = &s.long, s.limit()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *room == 0 || *room+size <= limit {
		*room += size
		return nil
	}
	if s.freed == nil {
		s.freed = make(chan struct{})
	}
	return s.freed
}

// read reads one message of a client. The error is an [*http.MaxBytesError] for one that
// is too long, errNoRoom, errTooSlow, or of a client that went away.
func (s *bodies) read(w http.ResponseWriter, r *http.Request) (*body, error) {
	size := int(r.ContentLength)
	switch {
	case r.ContentLength > maxBody:
		return nil, &http.MaxBytesError{Limit: maxBody}
	case r.ContentLength < 0:
		size = maxBody // it does not say
	}
	b := &body{of: s, size: max(size, 1<<smallest)}
	if err := s.reserve(r, b.size); err != nil {
		return nil, err
	}
	b.users.Store(1)
	var err error
	switch {
	case size <= shortBody:
		b.text, err = s.whole(r.Body, size)
	case r.ContentLength < 0:
		b.text, err = endless(http.MaxBytesReader(w, io.NopCloser(newBrisk(w, r, maxBody)), maxBody))
	default:
		b.text, err = s.stepwise(newBrisk(w, r, size), size)
	}
	if err != nil {
		b.done()
		return nil, err
	}
	return b, nil
}

func (s *bodies) whole(from io.Reader, size int) (*[]byte, error) {
	text := s.buffers.take(size)
	*text = (*text)[:size]
	_, err := io.ReadFull(from, *text)
	return text, err
}

// stepwise reads a body of a known length. The memory for all of a very long one comes when
// its beginning has: its length is only what the client says.
func (s *bodies) stepwise(from io.Reader, size int) (*[]byte, error) {
	if size <= 1<<largest {
		return s.whole(from, size)
	}
	begin, err := s.whole(from, 1<<largest)
	defer s.buffers.give(begin)
	if err != nil {
		return nil, err
	}
	text := make([]byte, size)
	_, err = io.ReadFull(from, text[copy(text, *begin):])
	return &text, err
}

func endless(from io.Reader) (*[]byte, error) {
	var text bytes.Buffer
	_, err := text.ReadFrom(from)
	read := text.Bytes()
	return &read, err
}

// brisk reads a body that has to keep coming.
type brisk struct {
	body    io.Reader
	control *http.ResponseController
	end     time.Time
}

func newBrisk(w http.ResponseWriter, r *http.Request, size int) *brisk {
	whole := 2*stallLimit + time.Duration(size/leastPace)*time.Second
	return &brisk{r.Body, http.NewResponseController(w), time.Now().Add(whole)}
}

func (b *brisk) Read(into []byte) (int, error) {
	at := time.Now().Add(stallLimit)
	if at.After(b.end) {
		at = b.end
	}
	_ = b.control.SetReadDeadline(at) // the end of the body takes it away again
	n, err := b.body.Read(into)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errTooSlow
	}
	return n, err
}

// refuseBody says why a message was not read; a client that went away is told nothing.
func refuseBody(w http.ResponseWriter, err error) {
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		http.Error(w, "the message is longer than 64 MiB", http.StatusRequestEntityTooLarge)
	case errors.Is(err, errNoRoom):
		w.Header().Set("Retry-After", "10")
		http.Error(w, err.Error()+" (limits.requestMiB)", http.StatusServiceUnavailable)
	case errors.Is(err, errTooSlow), errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		http.Error(w, errTooSlow.Error(), http.StatusRequestTimeout)
	default:
		panic(http.ErrAbortHandler)
	}
}
