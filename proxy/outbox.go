package proxy

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"
)

// replayed is how much of a stream is kept for a client whose connection broke, beside
// the answers and questions that it has not got, in bytes.
const replayed = 64 << 10

// outbox is one stream of a client: what was said on it and is not written yet, in
// order, and the end of what was. Whoever says something goes on at once; the newest
// connection that the client has opened for the stream is written to.
type outbox struct {
	flow   *flow
	encode func(m *jsonrpc.Message, number uint64) []byte
	// keeps says that the client may take the stream up again.
	keeps bool
	// current is the connection that is written to; nil without one.
	current atomic.Pointer[reader]

	mu      sync.Mutex
	entries []entry
	sent    int // how many of the entries were written
	// written are the bytes of the entries that were, unsent of the others.
	written, unsent int
	next            uint64 // the number of the next entry; they begin at 1
	readers         []*reader
	writing         *reader       // the one that writes an entry just now
	closed          bool          // nothing more comes
	news            chan struct{} // closed when something has changed; nil while nobody waits
}

type entry struct {
	number uint64
	text   []byte
	// must says that the client cannot do without it: an answer, or a question.
	must bool
	// kind names those of which the last one says all.
	kind string
}

// reader is one connection of a client on which a stream is written.
type reader struct {
	box  *outbox
	sink sink
	over bool // another one took its place; box.mu
}

// sink is where a stream is written.
type sink interface {
	// put writes a text, and tells how much was taken meanwhile. It ends with an error
	// where nothing is taken for [unread], and when the connection was cut.
	put(text []byte, took func(int)) error
	// cut ends the connection, without waiting.
	cut()
}

// outbox opens a stream for a client.
func (o *outgoing) outbox(c *client, keeps bool, encode func(*jsonrpc.Message, uint64) []byte) *outbox {
	b := &outbox{keeps: keeps, encode: encode, next: 1}
	b.flow = o.open(c, b.cut)
	return b
}

// cut ends the connection of a client that does not read, and the stream where there
// is none. It is called with the flow's lock held, and waits for no other.
func (b *outbox) cut() {
	if r := b.current.Load(); r != nil {
		r.sink.cut()
	} else if b.mu.TryLock() {
		b.forget()
		b.flow.end()
		b.mu.Unlock()
	}
}

// send puts a message at the end and reports whether it was taken.
func (b *outbox) send(m *jsonrpc.Message) bool {
	kind := ""
	if strings.HasSuffix(m.Method, "/list_changed") {
		kind = m.Method
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	if kind != "" && slices.ContainsFunc(b.entries[b.begun():], func(e entry) bool { return e.kind == kind }) {
		return true
	}
	size := len(m.Params) + 128
	if !b.flow.take(size) {
		return false
	}
	text := b.encode(m, b.next)
	b.flow.change(len(text)-size, len(text)-size)
	b.add(entry{text: text, must: !m.IsNotification(), kind: kind})
	return true
}

// begun is how many of the entries a client may have seen a part of. It needs mu.
func (b *outbox) begun() int {
	if b.writing != nil && b.sent < len(b.entries) {
		return b.sent + 1
	}
	return b.sent
}

// deliver is send for an answer: it waits for room while the client reads. A client
// that does not, and may come back, finds an error where there is no room.
func (b *outbox) deliver(ctx context.Context, m *jsonrpc.Message) error {
	err := b.deliverText(ctx, len(m.Result)+512, func(number uint64) []byte { return b.encode(m, number) })
	if err != nil && b.keeps {
		b.force(&jsonrpc.Message{ID: m.ID, Error: errorObject(errNotKept)})
	}
	return err
}

// deliverText is deliver for a text of about a size.
func (b *outbox) deliverText(ctx context.Context, size int, encode func(number uint64) []byte) error {
	if err := b.flow.await(ctx, size); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	text := encode(b.next)
	b.flow.change(len(text)-size, len(text)-size)
	b.add(entry{text: text, must: true})
	return nil
}

// force puts a short message at the end, whether there is room or not.
func (b *outbox) force(m *jsonrpc.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.encode(m, b.next)
	b.flow.change(len(text), len(text))
	b.add(entry{text: text, must: true})
}

// add needs mu, and that the entry's text was taken into account.
func (b *outbox) add(e entry) {
	if b.closed {
		return // the account is closed too, or will be
	}
	e.number = b.next
	b.next++
	b.entries = append(b.entries, e)
	b.unsent += len(e.text)
	b.thin()
	b.tell()
}

// thin drops the oldest of what is kept for a client that comes back: of what was
// written and, while nobody reads, of what the client can do without. It needs mu.
func (b *outbox) thin() {
	keep, held, waiting := 0, 0, 0
	if b.keeps {
		keep = replayed
	}
	for b.sent > 0 && b.written > keep {
		size := len(b.entries[0].text)
		b.entries[0] = entry{} // the memory is given back with the others
		b.entries, b.sent = b.entries[1:], b.sent-1
		b.written, held = b.written-size, held+size
	}
	for i := b.sent; len(b.readers) == 0 && b.unsent > keep && i < len(b.entries); {
		if b.entries[i].must {
			i++
			continue
		}
		size := len(b.entries[i].text)
		b.entries = slices.Delete(b.entries, i, i+1)
		b.unsent, held, waiting = b.unsent-size, held+size, waiting+size
	}
	if held > 0 {
		b.flow.change(-held, -waiting)
	}
}

// forget needs mu.
func (b *outbox) forget() {
	b.closed, b.entries, b.sent, b.written, b.unsent = true, nil, 0, 0, 0
	b.tell()
}

// tell needs mu.
func (b *outbox) tell() {
	if b.news != nil {
		close(b.news)
		b.news = nil
	}
}

// close says that nothing more comes.
func (b *outbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.tell()
}

// drop ends the stream and forgets what is left of it.
func (b *outbox) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget()
	b.flow.close()
}

// resume has a connection go on after the entry of a number. Those before it are over.
func (b *outbox) resume(to sink, after uint64) *reader {
	b.mu.Lock()
	b.replace(0)
	moved := 0
	for b.sent > 0 && b.entries[b.sent-1].number > after {
		b.sent--
		moved += len(b.entries[b.sent].text)
	}
	for b.sent < len(b.entries) && b.entries[b.sent].number <= after {
		moved -= len(b.entries[b.sent].text)
		b.sent++
	}
	b.unsent, b.written = b.unsent+moved, b.written-moved
	b.mu.Unlock()
	b.flow.change(0, moved)
	return b.attach(to)
}

// maxReaders bounds the connections that a client may hold open for one stream.
const maxReaders = 8

// replace ends all connections but the newest few. It needs mu.
func (b *outbox) replace(but int) {
	for _, r := range b.readers[:max(len(b.readers)-but, 0)] {
		r.over = true
		if b.writing == r {
			r.sink.cut()
		}
	}
	b.tell()
}

// attach makes a connection the one that the stream is written on; [reader.run] does it.
func (b *outbox) attach(to sink) *reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.replace(maxReaders - 1)
	r := &reader{box: b, sink: to}
	b.readers = append(b.readers, r)
	b.current.Store(r)
	b.flow.tookSome(0)
	b.tell()
	return r
}

func (b *outbox) detach(r *reader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.readers = slices.DeleteFunc(b.readers, func(other *reader) bool { return other == r })
	b.current.Store(nil)
	if n := len(b.readers); n > 0 {
		b.current.Store(b.readers[n-1])
	}
	if b.writing == r {
		b.writing = nil
	}
	b.thin()
	b.tell()
}

// run writes the stream until ctx ends, the stream is over, or the connection is, which
// is the error. alive is written where nothing else has been for a while; nil for nothing.
func (r *reader) run(ctx context.Context, alive []byte) error {
	defer r.box.detach(r)
	for {
		e, news := r.take()
		switch {
		case e.text != nil:
			if err := r.put(e); err != nil {
				return err
			}
			continue
		case news == nil:
			return nil
		}
		idle := time.NewTimer(keepAlive)
		select {
		case <-news:
		case <-ctx.Done():
			idle.Stop()
			return context.Cause(ctx)
		case <-idle.C:
			if alive != nil {
				if err := r.sink.put(alive, func(int) {}); err != nil {
					return err
				}
			}
		}
		idle.Stop()
	}
}

// take returns what the connection has to write next, or what to wait for; neither
// where the stream is over.
func (r *reader) take() (e entry, news <-chan struct{}) {
	b := r.box
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case r.over || b.sent == len(b.entries) && b.closed:
		return entry{}, nil
	case b.sent < len(b.entries) && b.current.Load() == r && b.writing == nil:
		b.writing = r
		return b.entries[b.sent], nil
	}
	if b.news == nil {
		b.news = make(chan struct{})
	}
	return entry{}, b.news
}

// put writes what [reader.take] returned.
func (r *reader) put(e entry) error {
	b, taken := r.box, 0
	err := r.sink.put(e.text, func(n int) {
		taken += n
		b.flow.tookSome(n)
	})
	if err != nil {
		b.flow.change(0, taken) // a connection that comes is given it whole
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.writing = nil
	if b.sent < len(b.entries) && b.entries[b.sent].number == e.number {
		b.sent++
		b.unsent, b.written = b.unsent-len(e.text), b.written+len(e.text)
	} else {
		b.flow.change(0, len(e.text)) // it was counted elsewhere meanwhile
	}
	b.thin()
	b.tell()
	return nil
}

// drained waits until all is written by a connection; it reports whether it was.
func (b *outbox) drained(r *reader) bool {
	for {
		b.mu.Lock()
		if b.current.Load() != r || b.sent == len(b.entries) {
			defer b.mu.Unlock()
			return b.current.Load() == r
		}
		if b.news == nil {
			b.news = make(chan struct{})
		}
		news := b.news
		b.mu.Unlock()
		<-news // each write is bounded in time
	}
}
