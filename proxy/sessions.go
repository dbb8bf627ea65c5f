package proxy

import (
	"cmp"
	"crypto/rand"
	"errors"
	"slices"
	"time"
)

// candidates is how many idle sessions are looked for at a time, so that a flood of new
// ones does not look through all of them for each.
const candidates = 64

// errTooManySessions is told a client for whom no session makes room.
var errTooManySessions = errors.New("too many sessions are open and in use (limits.sessions); end one, or try again later")

// idleSession is a session that could make room.
type idleSession struct {
	id   string
	used int64
}

// addSession begins a session and gives it an id that nobody can guess.
func (s *Server) addSession(v view) (*session, error) {
	if s.open.Add(1) > int64(s.limits.Load().Sessions) && !s.makeRoom() {
		s.open.Add(-1)
		return nil, errTooManySessions
	}
	c := s.newSession(v)
	c.id = rand.Text()
	s.sessions.Store(c.id, c)
	s.watchAbandoned()
	return c, nil
}

// makeRoom ends the session that has been idle for the longest time.
func (s *Server) makeRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 2 {
		for len(s.idle) > 0 {
			next := s.idle[0]
			s.idle = s.idle[1:]
			if found, ok := s.sessions.Load(next.id); ok && found.(*session).idle() && found.(*session).lastUsed.Load() == next.used {
				s.end(next.id)
				return true
			}
		}
		s.idle = s.leastUsed()
		if len(s.idle) > 0 && s.rooms.now() {
			s.options.Logger.Warn("as many sessions are open as there may be; the least recently used idle one makes room for each new one",
				"sessions", s.limits.Load().Sessions, "idle for", time.Since(time.Unix(0, s.idle[0].used)).Round(time.Second))
		}
	}
	return false
}

// leastUsed returns the idle sessions that were used least recently.
func (s *Server) leastUsed() (found []idleSession) {
	for id, each := range s.sessions.Range {
		c := each.(*session)
		used := c.lastUsed.Load()
		if len(found) == candidates && used >= found[candidates-1].used || !c.idle() {
			continue
		}
		at, _ := slices.BinarySearchFunc(found, used, func(other idleSession, used int64) int { return cmp.Compare(other.used, used) })
		found = slices.Insert(found, at, idleSession{id.(string), used})
		found = found[:min(len(found), candidates)]
	}
	return found
}

// idle reports whether nothing of the session is under way.
func (c *session) idle() bool { return c.requests.Load() == 0 && !c.listens() }

// find takes no lock: it is on the way of every call.
func (s *Server) find(id string, v view) *session {
	if c, ok := s.sessions.Load(id); ok && c.(*session).view == v {
		return c.(*session)
	}
	return nil
}

func (s *Server) end(id string) {
	if c, ok := s.sessions.LoadAndDelete(id); ok {
		s.open.Add(-1)
		c.(*session).close()
	}
}

// watchAbandoned has someone look after the requests whose clients are gone, as long as
// there are sessions.
func (s *Server) watchAbandoned() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch == nil && !s.closed {
		s.watch = time.AfterFunc(s.limits.Load().AbandonedAfter/4, s.endAbandoned)
	}
}

// endAbandoned ends the requests of sessions that have had no connection for a while.
func (s *Server) endAbandoned() {
	after := s.limits.Load().AbandonedAfter
	for _, each := range s.sessions.Range {
		if c := each.(*session); c.abandoned(after) {
			c.logger.Warn("the requests of a client that is gone are ended", "requests", c.requests.Load(), "limit", after)
			c.cancelAll(errAbandoned)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = nil
	if s.open.Load() > 0 && !s.closed {
		s.watch = time.AfterFunc(after/4, s.endAbandoned)
	}
}

// abandoned reports whether the session has requests under way, and no connection for
// so long.
func (c *session) abandoned(after time.Duration) bool {
	if c.requests.Load() == 0 {
		return false
	}
	now := time.Now().UnixNano()
	if c.connected() {
		c.lastConnected.Store(now)
	}
	return now-max(c.lastConnected.Load(), c.lastUsed.Load()) >= int64(after)
}

// connected reports whether a connection of the client is open on which it waits.
func (c *session) connected() bool {
	for _, each := range c.running.Range {
		if each.(*request).client.Err() == nil {
			return true
		}
	}
	return c.listens()
}
