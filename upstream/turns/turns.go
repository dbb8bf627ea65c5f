// Package turns hands out turns to those that want to do something of which only so
// many may be under way at once: in total, and for each host.
//
// It promises that no limit is exceeded but by lowering it; that those who wait for
// one host are served in the order in which they came, but for those that hurry, and that
// hosts are served in turn; that a few hosts which never answer do not keep the others waiting, as the last
// quarter of the turns goes to hosts that have none; and that waiting costs no goroutine
// and no timer. It knows nothing of what the turns are for, and bounds no time: who has
// a turn gives it back.
package turns

import (
	"container/list"
	"sync"
)

// Limits bound the turns that are taken at once. A limit of 0 is none.
type Limits struct {
	// Total is for all hosts together. A quarter of it, rounded down, is kept for hosts
	// that have no turn.
	Total   int
	PerHost int
}

// kept is how many of the last turns are for hosts that have none.
func (l Limits) kept() int { return l.Total / 4 }

// Queue is where turns are asked for. All methods are safe for concurrent use.
type Queue struct {
	mu     sync.Mutex
	limits Limits
	taken  int
	lines  map[string]*line
	// ready are the lines in which someone waits and whose host is below its limit.
	ready list.List
}

// line is what is known of one host, while there is something to know.
type line struct {
	host    string
	taken   int
	waiting list.List     // of *Turn
	at      *list.Element // in ready; nil while it is not there
}

// Turn is one that was asked for: waited for, or taken.
type Turn struct {
	queue *Queue
	line  *line
	come  func()
	at    *list.Element // in the line; nil once it has come or was given back
	taken bool
}

// NewQueue returns a queue in which nobody waits.
func NewQueue(l Limits) *Queue { return &Queue{limits: l, lines: map[string]*line{}} }

// Ask asks for a turn at a host ("" for what has none, which the limit per host does
// not bind). come is called once when it has come, at once where there is room, by
// whoever made the room and without a lock: it must be quick. It is not called after
// Done has returned, but may be while Done is being called.
func (q *Queue) Ask(host string, come func()) *Turn {
	q.mu.Lock()
	l := q.lines[host]
	if l == nil {
		l = &line{host: host}
		q.lines[host] = l
	}
	t := &Turn{queue: q, line: l, come: come}
	t.at = l.waiting.PushBack(t)
	q.sort(l)
	q.serve()
	return t
}

// Done gives the turn back, or stops waiting for it. Further calls do nothing.
func (t *Turn) Done() {
	q := t.queue
	q.mu.Lock()
	switch {
	case t.taken:
		t.taken = false
		t.line.taken--
		q.taken--
	case t.at != nil:
		t.line.waiting.Remove(t.at)
		t.at = nil
	}
	q.sort(t.line)
	q.serve()
}

// Hurry has the turn come before those that are waited for. It does nothing where the
// turn has come or was given back.
func (t *Turn) Hurry() {
	q := t.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if t.at == nil {
		return
	}
	t.line.waiting.MoveToFront(t.at)
	if t.line.at != nil {
		q.ready.MoveToFront(t.line.at)
	}
}

// Limit sets the limits. Turns that are taken beyond lower ones are kept.
func (q *Queue) Limit(l Limits) {
	q.mu.Lock()
	q.limits = l
	for _, l := range q.lines {
		q.sort(l)
	}
	q.serve()
}

// Count returns how many turns are taken and how many are waited for.
func (q *Queue) Count() (taken, waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.lines {
		waiting += l.waiting.Len()
	}
	return q.taken, waiting
}

// sort puts a line where it belongs: among the ready ones, or not, or nowhere.
func (q *Queue) sort(l *line) {
	ready := l.waiting.Len() > 0 && (l.host == "" || q.limits.PerHost == 0 || l.taken < q.limits.PerHost)
	switch {
	case ready && l.at == nil:
		l.at = q.ready.PushBack(l)
	case !ready && l.at != nil:
		q.ready.Remove(l.at)
		l.at = nil
	}
	if l.taken == 0 && l.waiting.Len() == 0 && q.lines[l.host] == l {
		delete(q.lines, l.host)
	}
}

// next is the line whose turn it is, or nil. It passes over those that may not take
// what is kept for others; they have turns, and so are few.
func (q *Queue) next() *line {
	free := q.limits.Total - q.taken
	if q.limits.Total > 0 && free <= 0 {
		return nil
	}
	for at := q.ready.Front(); at != nil; at = at.Next() {
		if l := at.Value.(*line); q.limits.Total == 0 || free > q.limits.kept() || l.taken == 0 || l.host == "" {
			return l
		}
	}
	return nil
}

// serve gives out what turns there are. The lock is held on entry and released.
func (q *Queue) serve() {
	var come []func()
	for l := q.next(); l != nil; l = q.next() {
		t := l.waiting.Remove(l.waiting.Front()).(*Turn)
		t.at, t.taken = nil, true
		l.taken++
		q.taken++
		q.ready.Remove(l.at)
		l.at = nil
		q.sort(l) // behind the other hosts
		come = append(come, t.come)
	}
	q.mu.Unlock()
	for _, f := range come {
		f()
	}
}
