package transitions

import (
	"time"

	"mcpproxy/states"
)

// Patience is how long a call waits for an upstream that is on its way. It is a value,
// taken when the call comes.
type Patience struct {
	begun      time.Time
	limit      time.Duration
	generation uint64
}

// NewPatience is that of a call that comes now.
func NewPatience(s *Snapshot, now time.Time, limit time.Duration) Patience {
	return Patience{begun: now, limit: limit, generation: s.Data.Generation}
}

// ForAnAttempt is the patience of a call that has caused an attempt which would have come
// too late for it: it waits for a moment, and not for a server that does not answer.
func (p Patience) ForAnAttempt(s *Snapshot, now time.Time) Patience {
	if NextAttempt(s).After(p.begun.Add(p.limit)) {
		p.limit = now.Sub(p.begun) + leastAttempt
	}
	return p
}

// leastAttempt is how long an attempt that has just begun is waited for.
const leastAttempt = 2 * time.Second

// Ends is until when the call waits, as things are: until its limit, or not at all where
// the next attempt is known to come later than that. An attempt that is under way
// at the limit is waited for a moment or, where there is a new token since the call
// came, for as long again. It is a pure function of the snapshot.
func (p Patience) Ends(s *Snapshot) time.Time {
	end := p.begun.Add(p.limit)
	if NextAttempt(s).After(end) {
		return p.begun
	}
	for _, r := range s.Regions {
		if !r.Is(Attempting) || !r.Since.After(p.begun) || r.Since.After(end) {
			continue
		}
		longer := r.Since.Add(leastAttempt)
		if s.Data.Generation > p.generation {
			longer = end.Add(p.limit)
		}
		if longer.After(end) {
			return longer
		}
	}
	return end
}

// NextAttempt is when the machine tries again by itself, where it waits for that; zero
// where it does not, or is at it.
func NextAttempt(s *Snapshot) time.Time {
	region := s.Region(states.Connection)
	if region.State == states.AwaitingCredential || region.State == states.Connected {
		region = s.Region(states.Credential)
	}
	for _, timer := range region.Timers {
		switch timer.Event {
		case ReconnectDue, RefreshRetryDue, GrantRetryDue:
			return timer.At
		}
	}
	return time.Time{}
}
