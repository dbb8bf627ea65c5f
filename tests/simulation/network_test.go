package simulation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// latency is how long every byte is on its way.
const latency = time.Millisecond

// network is all hosts and what connects them.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	next      int
	conns     map[*conn]struct{}
}

func newNetwork() *network {
	return &network{listeners: map[string]*listener{}, conns: map[*conn]struct{}{}, next: 40000}
}

// listen binds an address on behalf of a host.
func (n *network) listen(host, address string) (*listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if port == "0" {
		n.next++
		port = strconv.Itoa(n.next)
		address = net.JoinHostPort(name, port)
	}
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: syscall.EADDRINUSE}
	}
	number, _ := strconv.Atoi(port)
	l := &listener{network: n, host: host, address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: number}, waiting: make(chan *conn, 256),
		closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// dialer is the way of one host's programs to the network.
func (n *network) dialer(host string) func(ctx context.Context, _, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		if !sleep(ctx, 2*latency) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		l := n.listeners[address]
		if l == nil {
			return nil, refused
		}
		client, server := n.pair(host, l.host)
		select {
		case l.waiting <- server:
			return client, nil
		default:
			return nil, refused
		}
	}
}

// cut ends every connection of a host and takes its addresses away, as the death
// of its process does.
func (n *network) cut(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if c.host == host {
			c.reset()
		}
	}
	for address, l := range n.listeners {
		if l.host == host {
			delete(n.listeners, address)
		}
	}
}

// freeze loses whatever is on its way on connections that exist, and all that
// follows it.
func (n *network) freeze() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.out.lose()
	}
}

func (n *network) pair(client, server string) (a, b *conn) {
	to, from := newStream(), newStream()
	a = &conn{network: n, host: client, peer: server, in: from, out: to}
	b = &conn{network: n, host: server, peer: client, in: to, out: from}
	n.conns[a], n.conns[b] = struct{}{}, struct{}{}
	return a, b
}

func (n *network) forget(c *conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

type listener struct {
	network *network
	host    string
	address *net.TCPAddr
	waiting chan *conn
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.waiting:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		defer l.network.mu.Unlock()
		if l.network.listeners[l.address.String()] == l {
			delete(l.network.listeners, l.address.String())
		}
		for {
			select {
			case c := <-l.waiting:
				c.reset()
			default:
				return
			}
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.address }

// conn is one end of a connection.
type conn struct {
	network *network
	host    string // whose end it is
	peer    string
	in, out *stream
	once    sync.Once

	mu    sync.Mutex
	wound wound
}

// wound is what is to happen to the next response that is written.
type wound struct {
	kind  string // one of wounds
	pause time.Duration
}

// hurt orders what happens to the next response.
func (c *conn) hurt(w wound) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wound = w
}

func (c *conn) Read(p []byte) (int, error) { return c.in.read(p) }

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	w := c.wound
	c.wound = wound{}
	c.mu.Unlock()
	switch w.kind {
	case "":
		return c.out.write(p)
	case lost:
		c.out.lose()
		return len(p), nil
	case delayed:
		c.out.pause(w.pause)
		return c.out.write(p)
	case duplicated:
		return c.out.write(append(bytes.Clone(p), p...))
	}
	if n := cutAt(w.kind, p); n > 0 {
		_, _ = c.out.write(p[:n])
	}
	c.reset()
	return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
}

// cutAt is how much of a response arrives.
func cutAt(kind string, p []byte) int {
	head := bytes.Index(p, []byte("\r\n\r\n"))
	if head < 0 {
		return len(p) / 2
	}
	body := len(p) - head - 4
	switch kind {
	case resetBeforeHeaders:
		return 0
	case resetInHeaders:
		return head / 2
	case resetAtBody:
		return head + 4
	case resetInBody:
		return head + 4 + body/2
	}
	return len(p) - 1
}

// reset ends the connection for both sides at once; what was written before still
// arrives.
func (c *conn) reset() {
	c.out.end(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET})
	c.in.breakOff(&net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET})
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.network.forget(c)
		c.out.end(io.EOF)
		c.in.breakOff(net.ErrClosed)
	})
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (c *conn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }

func (c *conn) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *conn) SetReadDeadline(t time.Time) error  { c.in.deadline(t); return nil }
func (c *conn) SetWriteDeadline(t time.Time) error { return nil } // writing takes no time

// stream is one direction of a connection.
type stream struct {
	mu      sync.Mutex
	queue   []packet
	last    time.Time // when the newest packet arrives
	ended   bool      // nothing can be written any more
	lost    bool      // what is written does not arrive
	broken  error     // nothing can be read any more
	until   time.Time
	changed chan struct{}
}

type packet struct {
	at   time.Time
	data []byte
	err  error
}

func newStream() *stream { return &stream{changed: make(chan struct{})} }

func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) put(p packet) {
	s.last = later(s.last, time.Now().Add(latency))
	p.at = s.last
	s.queue = append(s.queue, p)
	s.wake()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	}
	if !s.lost {
		s.put(packet{data: bytes.Clone(p)})
	}
	return len(p), nil
}

func (s *stream) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	if !s.lost {
		s.put(packet{err: err})
	}
}

func (s *stream) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	for i, p := range s.queue {
		if p.at.After(time.Now()) {
			s.queue = s.queue[:i]
			return
		}
	}
}

func (s *stream) pause(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = later(s.last, time.Now()).Add(d)
}

func (s *stream) breakOff(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
		s.ended = true // its writer learns it by its next write
		s.wake()
	}
}

func (s *stream) deadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = t
	s.wake()
}

func (s *stream) read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		now := time.Now()
		var wait time.Duration = -1
		switch {
		case s.broken != nil:
			err := s.broken
			s.mu.Unlock()
			return 0, err
		case !s.until.IsZero() && !s.until.After(now):
			s.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(s.queue) > 0 && !s.queue[0].at.After(now):
			n, err := s.take(p)
			s.mu.Unlock()
			return n, err
		case len(s.queue) > 0:
			wait = s.queue[0].at.Sub(now)
		}
		if !s.until.IsZero() && (wait < 0 || s.until.Sub(now) < wait) {
			wait = s.until.Sub(now)
		}
		changed := s.changed
		s.mu.Unlock()
		if wait < 0 {
			<-changed
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (s *stream) take(p []byte) (int, error) {
	first := &s.queue[0]
	if first.err != nil {
		return 0, first.err // and again, whoever reads again
	}
	n := copy(p, first.data)
	if first.data = first.data[n:]; len(first.data) == 0 {
		s.queue = s.queue[1:]
	}
	return n, nil
}

// sleep reports whether ctx lasted so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errDead = errors.New("the process is dead")
