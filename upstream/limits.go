package upstream

import (
	"cmp"
	"net/url"
	"sync/atomic"
	"time"

	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream/turns"
)

// Limits bound what is under way at once, over all upstreams of a process. What
// waits for its turn is in a state of its own, without a goroutine.
type Limits struct {
	// Connecting are connection attempts, by the host of the MCP server.
	Connecting turns.Limits
	// Refreshing are refreshes, by the host of the token endpoint.
	Refreshing turns.Limits
	// CallWait is how long a call waits for an upstream that is not ready.
	CallWait time.Duration
	// CallsPerUpstream are the calls that may be under way to one upstream.
	CallsPerUpstream int
}

// DefaultLimits are those of a configuration that sets none: enough for a thousand
// upstreams to connect within seconds, and little for one server.
func DefaultLimits() Limits {
	return Limits{Connecting: turns.Limits{Total: 64, PerHost: 16}, Refreshing: turns.Limits{Total: 64, PerHost: 8},
		CallWait: 30 * time.Second, CallsPerUpstream: 2000}
}

// queues are where turns are waited for.
type queues struct{ connecting, refreshing *turns.Queue }

func newQueues(l Limits) queues {
	return queues{connecting: turns.NewQueue(l.Connecting), refreshing: turns.NewQueue(l.Refreshing)}
}

// bound notes the limits of calls; one that is 0 is the default.
func (e *Environment) bound(l Limits) {
	d := DefaultLimits()
	l.CallWait, l.CallsPerUpstream = cmp.Or(l.CallWait, d.CallWait), cmp.Or(l.CallsPerUpstream, d.CallsPerUpstream)
	e.limits.Store(&l)
}

// Limit sets the limits; what is under way is not touched.
func (m *Manager) Limit(l Limits) {
	m.environment.bound(l)
	m.environment.queues.connecting.Limit(l.Connecting)
	m.environment.queues.refreshing.Limit(l.Refreshing)
}

// takeTurn asks for a turn where a state waits for one, and gives it back when the
// state that it was for is left, or when it is not waited for any more. Moves are told
// one after the other, so that a turn that comes at once is met by the next call.
func (u *Upstream) takeTurn(move *transitions.Move) {
	queue, turn := u.environment.queues.connecting, &u.connectTurn
	if move.Region == states.Credential {
		queue, turn = u.environment.queues.refreshing, &u.refreshTurn
	}
	if move.To == states.Connecting || move.To == states.Refreshing {
		return // it has come
	}
	giveBack(turn)
	if event := transitions.TurnOf(move.To); event != "" {
		epoch := move.Epoch // the move is not ours to keep
		turn.Store(queue.Ask(u.hostOf(move), func() {
			_, _ = u.fire(transitions.Input{Event: event, Epoch: epoch}) // a refusal is in the journal
		}))
	}
}

func giveBack(turn *atomic.Pointer[turns.Turn]) {
	if held := turn.Swap(nil); held != nil {
		held.Done()
	}
}

// giveTurnsBack is for an upstream whose jobs have ended: one that was closed before
// its refresh was finished leaves the state no more.
func (u *Upstream) giveTurnsBack() {
	giveBack(&u.connectTurn)
	giveBack(&u.refreshTurn)
	leavePlace(&u.connectPlace)
	leavePlace(&u.refreshPlace)
}

// hurry has the turns come next that are waited for: someone waits for them.
func (u *Upstream) hurry() {
	for _, turn := range []*turns.Turn{u.connectTurn.Load(), u.refreshTurn.Load()} {
		if turn != nil {
			turn.Hurry()
		}
	}
}

// hostOf is who will be asked: the MCP server, or the authorization server. A child
// process has no host.
func (u *Upstream) hostOf(move *transitions.Move) string {
	token := move.After.Data.Token
	if move.Region == states.Connection || token == nil {
		return u.origin.Host
	}
	endpoint, err := url.Parse(token.TokenEndpoint)
	if err != nil {
		return ""
	}
	return endpoint.Host
}
