// Package feed hands the transitions of one process to whoever follows them: the
// last ones are kept in a ring, and each reader goes through it at its own pace.
//
// It promises that publishing never waits for a reader; that every item has an id
// which is never given twice, in another process neither; and that a reader which
// was away for too long, or follows from another process's id, is told that items
// are missing instead of being given a part for the whole. It keeps nothing on
// disk: that is the journal's.
package feed

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"
	"sync"

	"mcpproxy/fsm"
)

// Kept is how many items are kept unless [New] is told another number.
const Kept = 4096

// Item is one event that a machine was given, accepted or refused.
type Item struct {
	ID    string
	Entry fsm.Entry
}

// Feed keeps the last items. All methods are safe for concurrent use.
type Feed struct {
	run string

	mu   sync.Mutex
	ring []fsm.Entry
	// next is the number of the item that comes next; numbers begin at 1.
	next uint64
	// news is closed at the next item; nil while nobody waits.
	news chan struct{}
}

// New returns a feed that keeps the last n items; 0 means [Kept].
func New(n int) *Feed {
	if n <= 0 {
		n = Kept
	}
	return &Feed{run: rand.Text()[:8], ring: make([]fsm.Entry, n), next: 1}
}

// Publish adds an item. It never waits.
func (f *Feed) Publish(entry fsm.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.next%uint64(len(f.ring))] = entry
	f.next++
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// Reader is one reader's place in a feed. It belongs to one goroutine.
type Reader struct {
	feed *Feed
	next uint64
	gap  bool
}

// Follow returns a reader that goes on after the item with the id. With an empty id
// it begins with what comes next. An id whose successor is no longer kept, or that
// this process did not give, makes [Reader.Next] report a gap first.
func (f *Feed) Follow(after string) *Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	if after == "" {
		return &Reader{feed: f, next: f.next}
	}
	run, number, _ := strings.Cut(after, "-")
	last, err := strconv.ParseUint(number, 10, 64)
	if err != nil || run != f.run || last >= f.next {
		return &Reader{feed: f, next: f.oldest(), gap: true}
	}
	return &Reader{feed: f, next: last + 1}
}

// oldest is the number of the oldest item that is kept, or of the next one. f.mu is held.
func (f *Feed) oldest() uint64 {
	if kept := uint64(len(f.ring)); f.next > kept {
		return f.next - kept
	}
	return 1
}

// Place is the id after which the reader goes on.
func (r *Reader) Place() string { return r.feed.id(r.next - 1) }

func (f *Feed) id(number uint64) string { return f.run + "-" + strconv.FormatUint(number, 10) }

// Next returns the items that came since the last call, and waits for one where
// there is none. gap says that items before them are missing; it is reported once,
// perhaps without items. The error is ctx's.
func (r *Reader) Next(ctx context.Context) (items []Item, gap bool, err error) {
	for {
		items, gap, news := r.take()
		if gap || len(items) > 0 {
			return items, gap, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}

func (r *Reader) take() (items []Item, gap bool, news <-chan struct{}) {
	f := r.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if oldest := f.oldest(); r.next < oldest {
		r.next, r.gap = oldest, true
	}
	for ; r.next < f.next; r.next++ {
		items = append(items, Item{ID: f.id(r.next), Entry: f.ring[r.next%uint64(len(f.ring))]})
	}
	gap, r.gap = r.gap, false
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return items, gap, f.news
}
