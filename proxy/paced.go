package proxy

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// piece is how much is written at a time, in bytes: a client that takes one within the
// time reads.
const piece = 64 << 10

// paced writes to one client's connection, each piece within a bounded time. Where the
// connection knows no deadlines it is closed instead, if it can be.
type paced struct {
	w        io.Writer
	flush    func() error
	deadline func(time.Time) error
	close    func() error
	over     atomic.Bool
}

// pacedHTTP writes the answer to a request.
func pacedHTTP(w http.ResponseWriter) *paced {
	control := http.NewResponseController(w)
	return &paced{w: w, flush: control.Flush, deadline: control.SetWriteDeadline}
}

// pacedLines writes to whatever standard output is.
func pacedLines(w io.Writer) *paced {
	p := &paced{w: w}
	if d, ok := w.(interface{ SetWriteDeadline(time.Time) error }); ok {
		p.deadline = d.SetWriteDeadline
	}
	if c, ok := w.(io.Closer); ok {
		p.close = c.Close
	}
	return p
}

// put implements sink.
func (p *paced) put(text []byte, took func(int)) error {
	for len(text) > 0 {
		part := text[:min(len(text), piece)]
		if _, err := p.Write(part); err != nil {
			return err
		}
		if p.flush != nil {
			if err := p.flush(); err != nil {
				return err
			}
		}
		took(len(part))
		text = text[len(part):]
	}
	return nil
}

// Write writes one piece.
func (p *paced) Write(part []byte) (int, error) {
	p.until(time.Now().Add(unread))
	if p.over.Load() {
		return 0, errNotRead
	}
	return p.w.Write(part)
}

// until sets the time at which writing fails.
func (p *paced) until(at time.Time) {
	if p.deadline != nil {
		_ = p.deadline(at) // a connection that has none is not cut
	}
}

// done ends the pace: the connection may serve other requests.
func (p *paced) done() {
	p.until(time.Time{})
	if p.over.Load() {
		p.cut()
	}
}

// cut implements sink.
func (p *paced) cut() {
	p.over.Store(true)
	if p.deadline != nil && p.deadline(time.Unix(1, 0)) == nil || p.close == nil {
		return
	}
	_ = p.close() // what is written fails now
}
