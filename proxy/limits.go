package proxy

import (
	"cmp"
	"time"
)

// Limits bound what clients may have under way, and what may wait for them. One that is
// 0 is as in [DefaultLimits].
type Limits struct {
	// Sessions of all clients; the least recently used idle one makes room.
	Sessions int
	// CallsPerSession are the requests that one session may have under way.
	CallsPerSession int
	// AbandonedAfter is for how long a session may have no connection until its
	// requests are ended.
	AbandonedAfter time.Duration
	// RequestMiB bounds the bodies of all requests together.
	RequestMiB int
	// QueuedMiB bounds what waits to be read by all clients together, and
	// QueuedPerClientMiB by one.
	QueuedMiB, QueuedPerClientMiB int
}

// DefaultLimits are those of a configuration that sets none.
func DefaultLimits() Limits {
	return Limits{Sessions: 10_000, CallsPerSession: 256, AbandonedAfter: time.Minute, RequestMiB: 256, QueuedMiB: 256, QueuedPerClientMiB: 16}
}

// Limit sets the limits; what is under way is not touched.
func (s *Server) Limit(l Limits) {
	d := DefaultLimits()
	l = Limits{Sessions: cmp.Or(l.Sessions, d.Sessions), CallsPerSession: cmp.Or(l.CallsPerSession, d.CallsPerSession),
		AbandonedAfter: cmp.Or(l.AbandonedAfter, d.AbandonedAfter), RequestMiB: cmp.Or(l.RequestMiB, d.RequestMiB),
		QueuedMiB: cmp.Or(l.QueuedMiB, d.QueuedMiB), QueuedPerClientMiB: cmp.Or(l.QueuedPerClientMiB, d.QueuedPerClientMiB)}
	s.limits.Store(&l)
}
