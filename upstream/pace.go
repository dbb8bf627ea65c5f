package upstream

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Attempts that are made again and again, a second, over all upstreams that are down. A
// child process costs more than a request, and mostly fails for what does not pass.
const (
	requestsPaced = 20
	childrenPaced = 4
)

// paces keep the attempts of all upstreams together within what they may cost.
type paces struct{ connecting, starting, refreshing pace }

func (p *paces) set() {
	p.connecting.perSecond, p.starting.perSecond, p.refreshing.perSecond = requestsPaced, childrenPaced, requestsPaced
}

// pace plans the attempts of one kind. It knows how many upstreams wait for their next
// one, by the attempts that have failed: one that has failed more often waits for those
// that have failed as often or less, so that what has just failed is soon tried again,
// however many are down for good.
type pace struct {
	perSecond int64
	waiting   [pacedAttempts]atomic.Int64
}

// pacedAttempts is after how many failed ones an upstream counts as down for good; the
// pauses have nearly grown to the longest one by then.
const pacedAttempts = 7

// pause is that after an attempt which fails, where others have failed before it.
func (p *pace) pause(failed int) time.Duration {
	down := int64(1)
	for n := range min(failed, pacedAttempts-1) + 1 {
		down += p.waiting[n].Load()
	}
	if down <= p.perSecond {
		return 0
	}
	mean := time.Duration(down) * time.Second / time.Duration(p.perSecond)
	return mean/2 + rand.N(mean)
}

// pace is that of what the region tries again.
func (u *Upstream) pace(region string) *pace {
	switch p := &u.environment.paces; {
	case region == states.Credential:
		return &p.refreshing
	case u.config.Transport == Stdio:
		return &p.starting
	default:
		return &p.connecting
	}
}

// takePlace counts an upstream among those that wait for their next attempt, for as long
// as it is in the state that does.
func (u *Upstream) takePlace(move *transitions.Move) {
	place, failed := &u.connectPlace, move.After.Data.Attempts
	if move.Region == states.Credential {
		place, failed = &u.refreshPlace, move.After.Data.RefreshAttempts
	}
	leavePlace(place)
	if transitions.Is(move.Region, move.To, transitions.Paced) {
		taken := &u.pace(move.Region).waiting[min(max(failed-1, 0), pacedAttempts-1)]
		taken.Add(1)
		place.Store(taken)
	}
}

func leavePlace(place *atomic.Pointer[atomic.Int64]) {
	if taken := place.Swap(nil); taken != nil {
		taken.Add(-1)
	}
}
