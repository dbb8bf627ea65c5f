package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/wire"
)

// The lists of a server are read again when it says that they have changed, however
// often it does, and where they could not be read.
const (
	// listGap is the least time between two readings of a list.
	listGap = time.Second
	// listLimit bounds a reading while requests flow.
	listLimit = time.Minute
	// listPause is the first pause after a reading that failed, longestListPause the longest.
	listPause        = 2 * time.Second
	longestListPause = 15 * time.Minute
)

// listKeeper reads the lists of one connection again. What is missing of them is in the
// machine; here are the goroutines, one for each list that ever had to be read again.
type listKeeper struct {
	upstream *Upstream
	order    transitions.Order
	conn     wire.Conn

	work    sync.WaitGroup
	mu      sync.Mutex
	changed map[string]chan struct{} // by method, each with room for one
}

// begin takes over the lists that could not be read when the connection was made.
func (k *listKeeper) begin(ctx context.Context) {
	for _, l := range lists() {
		for _, part := range k.order.Snapshot.Data.Parts {
			if part.Name == l.method {
				k.keep(ctx, l, part.RetryAt)
			}
		}
	}
}

// keep returns the signal of a list's goroutine, which is begun where there is none.
func (k *listKeeper) keep(ctx context.Context, l list, retryAt time.Time) chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.changed[l.method]
	if changed == nil {
		changed = make(chan struct{}, 1)
		k.changed[l.method] = changed
		k.work.Go(func() { k.run(ctx, l, changed, retryAt) })
	}
	return changed
}

// notified hands on what the server says outside calls. A changed list is read
// again before anybody is told.
func (k *listKeeper) notified(ctx context.Context, method string, params json.RawMessage) {
	isList := false
	for _, l := range lists() {
		if l.changed != method {
			continue
		}
		isList = true
		select {
		case k.keep(ctx, l, time.Time{}) <- struct{}{}:
		default: // it is signalled already
		}
	}
	if !isList {
		k.upstream.watchers.tell(method, params)
	}
}

// run reads one list whenever it has changed, and when it is to be tried again at
// retryAt, if that is not zero.
func (k *listKeeper) run(ctx context.Context, l list, changed <-chan struct{}, retryAt time.Time) {
	failures := 0
	if !retryAt.IsZero() {
		failures = 1
	}
	for {
		if !await(ctx, changed, failures > 0, retryAt) {
			return
		}
		err := k.read(ctx, &l, failures > 0)
		if ctx.Err() != nil {
			return
		}
		part := states.Part{Name: l.method}
		switch {
		case err != nil:
			part = k.upstream.listFailed(l.method, err, failures)
			failures, retryAt = failures+1, part.RetryAt
			k.fire(transitions.PartFailed, part)
		case failures > 0:
			failures = 0
			k.fire(transitions.PartRestored, part)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(listGap):
		}
	}
}

// await waits until a list has changed or, where it failed, is due, and reports whether
// ctx allows it.
func await(ctx context.Context, changed <-chan struct{}, failed bool, at time.Time) bool {
	var due <-chan time.Time
	if failed {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-due:
	}
	return true
}

func (k *listKeeper) fire(event transitions.Event, part states.Part) {
	// a connection that is over is refused
	_, _ = k.order.Fire(transitions.Input{Event: event, Payload: transitions.Payload{Parts: []states.Part{part}}})
}

// read reads a list and publishes what came of it; retried says that nobody may have
// been told since it could not be read.
func (k *listKeeper) read(ctx context.Context, l *list, retried bool) error {
	ctx, stop := context.WithTimeoutCause(ctx, listLimit, errUnanswered)
	defer stop()
	if l.method != lists()[0].method {
		ctx = wire.AsOptional(ctx)
	}
	items, err := l.read(ctx, k.conn)
	if err != nil && !errors.Is(err, errRepeats) && !errors.Is(err, errEndless) {
		return err
	}
	u := k.upstream
	u.publishing.Lock()
	next := *u.catalog.Load()
	same := sameItems(*l.of(&next), items)
	*l.of(&next) = items
	next.Generation++
	u.catalog.Store(&next)
	u.publishing.Unlock()
	if !same || !retried && leads(l) {
		u.watchers.tell(l.changed, nil)
	}
	return err
}

// leads reports whether a list is the one that its notification is named after.
func leads(l *list) bool { return l.method != "resources/templates/list" }

// listFailed says what is missing, and when it is tried again after so many failures
// before.
func (u *Upstream) listFailed(method string, err error, failures int) states.Part {
	u.logger.Warn("a list could not be read as a whole; it is tried again", "list", method, "error", err)
	return states.Part{Name: method, Text: err.Error(), RetryAt: time.Now().Add(nthPause(failures, listPause, longestListPause))}
}

// streamed notes whether the server's own stream is there.
func (k *listKeeper) streamed(err error, again time.Time) {
	if err == nil {
		k.fire(transitions.PartRestored, states.Part{Name: states.OwnStream})
		return
	}
	k.fire(transitions.PartFailed, states.Part{Name: states.OwnStream, Text: err.Error(), Absent: wire.NoStream(err), RetryAt: again})
}
