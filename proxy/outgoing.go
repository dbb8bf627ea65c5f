package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what waits for clients to be read, in time: a client that takes nothing
// for stalled while its queue is full does not read, nor does one that takes nothing of
// what is being written for unread.
const (
	stalled = 2 * time.Second
	unread  = 30 * time.Second
)

var errNotRead = errors.New("the client does not read")

// outgoing bounds what waits for clients to be read: for each of them, and for all
// together. No producer waits for a client here, but for one who has the answer to that
// client's own call.
type outgoing struct {
	mu     sync.Mutex
	limits func() Limits
	held   int
	flows  map[*flow]bool
	freed  chan struct{} // closed when something was given back; nil while nobody waits
}

// client is what waits for one client, on all of its streams.
type client struct{ held int } // in bytes; outgoing.mu

// flow is one way to a client on which bytes may wait.
type flow struct {
	of     *outgoing
	client *client
	cut    func() // ends the connection, without waiting
	held   int    // in bytes; outgoing.mu

	// waiting is how much of what is held the client has not taken yet.
	waiting atomic.Int64
	taken   atomic.Int64 // when it last took something, or had nothing to take; Unix time in nanoseconds
	closed  atomic.Bool
}

// open begins a flow; close ends it.
func (o *outgoing) open(c *client, cut func()) *flow {
	f := &flow{of: o, client: c, cut: cut}
	f.tookSome(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.flows == nil {
		o.flows = map[*flow]bool{}
	}
	o.flows[f] = true
	return f
}

// close gives back what is held.
func (f *flow) close() {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	f.end()
}

// end needs of.mu.
func (f *flow) end() {
	f.closed.Store(true)
	delete(f.of.flows, f)
	f.release(f.held)
}

// take reports whether there is room for n bytes more. One message is always taken for a
// client that has nothing else to read. Where there is no room, who does not read is cut.
func (f *flow) take(n int) bool {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	limits := f.of.limits()
	own := f.client.held > 0 && f.client.held+n > limits.QueuedPerClientMiB<<20
	all := f.of.held > 0 && f.of.held+n > limits.QueuedMiB<<20
	if own || all {
		f.of.cutStalled(func(other *flow) bool { return all || other.client == f.client })
		return false
	}
	if !f.closed.Load() {
		f.held, f.client.held, f.of.held = f.held+n, f.client.held+n, f.of.held+n
	}
	if f.waiting.Add(int64(n)) == int64(n) {
		f.taken.Store(time.Now().UnixNano())
	}
	return true
}

// cutStalled ends the connections on which bytes lie that nobody takes. o.mu is held.
func (o *outgoing) cutStalled(among func(*flow) bool) {
	for f := range o.flows {
		if among(f) && f.isStalled() {
			f.cut()
		}
	}
}

func (f *flow) isStalled() bool {
	return f.waiting.Load() > 0 && time.Since(time.Unix(0, f.taken.Load())) > stalled
}

// await waits for room while clients read what takes it, for a bounded time.
func (f *flow) await(ctx context.Context, n int) error {
	for begun := time.Now(); !f.take(n); {
		if f.closed.Load() || time.Since(begun) > unread {
			return errNotRead
		}
		f.of.mu.Lock()
		if f.of.freed == nil {
			f.of.freed = make(chan struct{})
		}
		freed := f.of.freed
		f.of.mu.Unlock()
		look := time.NewTimer(stalled)
		select {
		case <-freed:
		case <-look.C: // whether someone reads
		case <-ctx.Done():
			look.Stop()
			return context.Cause(ctx)
		}
		look.Stop()
	}
	return nil
}

// tookSome notes that the client took n bytes.
func (f *flow) tookSome(n int) {
	f.waiting.Add(-int64(n))
	f.taken.Store(time.Now().UnixNano())
}

// change notes that more or less is held, and waits for the client.
func (f *flow) change(held, waiting int) {
	f.waiting.Add(int64(waiting))
	if held == 0 {
		return
	}
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	if !f.closed.Load() {
		f.release(-held)
	}
}

// release needs of.mu.
func (f *flow) release(n int) {
	f.held, f.client.held, f.of.held = f.held-n, f.client.held-n, f.of.held-n
	if f.of.freed != nil && n > 0 {
		close(f.of.freed)
		f.of.freed = nil
	}
}
