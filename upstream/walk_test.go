package upstream_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// errorOf is what each refusal is.
var errorOf = map[fsm.Disposition]error{fsm.Illegal: fsm.ErrIllegal, fsm.Stale: fsm.ErrStale, fsm.Guarded: fsm.ErrGuarded}

// Each declared transition, taken by an upstream that really runs: it leads where the
// graph says, the job of the state that it leaves is ended and that of the state that
// it enters is begun.
func TestEachTransition(t *testing.T) {
	var all []journey
	for _, region := range transitions.Definition().Graph().Regions {
		for _, edge := range region.Edges {
			all = append(all, journey{region: region.Name, edge: edge, way: wayOf(region.Name, edge.From, edge.Event)})
		}
	}
	w := newWalk(t, all)
	for i, j := range all {
		if j.edge.Event == string(transitions.GrantDue) {
			j.edge.From = j.edge.To // the upstream goes this way by itself
			w.follow(i, j)
			continue
		}
		u := w.follow(i, j)
		before := w.jobs(u)
		outcome, err := w.fire(u, step{event: transitions.Event(j.edge.Event), change: passed[transitions.Event(j.edge.Event)]})
		if err != nil || string(outcome.To) != j.edge.To || outcome.Disposition != fsm.Moved && outcome.Disposition != fsm.Updated {
			t.Errorf("%s: %s in %s: %+v, %v", j.region, j.edge.Event, j.edge.From, outcome, err)
			continue
		}
		if outcome.Disposition == fsm.Moved {
			w.wantJobs(u, j, outcome, before)
		}
	}
}

// passed are the changes that make an event one that its guards let pass.
var passed = map[transitions.Event]func(*transitions.Input){
	transitions.ConnectionWanted: func(in *transitions.Input) { in.At = in.At.Add(time.Minute) },
	transitions.TokenWanted:      func(in *transitions.Input) { in.At = in.At.Add(time.Minute) },
}

// wantJobs waits until the job of the state that was left has ended and that of the
// new one has begun.
func (w *walk) wantJobs(u *upstream.Upstream, j journey, outcome transitions.Outcome, before []held) {
	w.Helper()
	job := w.jobOf(j.region, j.edge.To)
	var now []held
	w.eventually(fmt.Sprintf("the job %q of %s, after %s in %s: %+v", job, j.edge.To, j.edge.Event, j.edge.From, before), func() bool {
		now = w.jobs(u)
		for _, earlier := range before {
			if earlier.region == j.region && !slices.ContainsFunc(now, func(h held) bool { return h.epoch == earlier.epoch && h.ended }) {
				return false
			}
		}
		left := u.Snapshot().Region(j.region).Epoch != outcome.Epoch // by a signal, at once
		return job == "" || left || slices.ContainsFunc(now, func(h held) bool { return h.epoch == outcome.Epoch && h.job == job })
	})
}

// Each pair of a state and an event that is no transition, and each outcome of a state
// that is over: the machine says what the graph says, and nothing has changed: not the
// snapshot with its data and timers, not a job, not the store.
func TestEachRefusalChangesNothing(t *testing.T) {
	graph := transitions.Definition().Graph()
	var all []journey
	for _, region := range graph.Regions {
		for _, state := range region.States {
			all = append(all, journey{region: region.Name, edge: fsm.GraphEdge{From: state.Name}, way: wayOf(region.Name, state.Name, "")})
		}
	}
	w := newWalk(t, all)
	for i, j := range all {
		u := w.follow(i, j)
		region := graph.Regions[slices.IndexFunc(graph.Regions, func(r fsm.GraphRegion) bool { return r.Name == j.region })]
		jobs, stored := w.jobs(u), w.stored(u)
		for _, event := range region.Events {
			if said := dispositionOf(region, j.edge.From, event.Name); said != "" {
				w.refused(u, j, step{event: transitions.Event(event.Name)}, said)
			}
			if event.Bound {
				w.refused(u, j, step{event: transitions.Event(event.Name), change: func(in *transitions.Input) { in.Epoch += 1000 }}, fsm.Stale)
			}
		}
		if now := w.jobs(u); !reflect.DeepEqual(now, jobs) {
			t.Errorf("%s %s: the jobs were %+v and are %+v", j.region, j.edge.From, jobs, now)
		}
		if now := w.stored(u); !reflect.DeepEqual(now, stored) {
			t.Errorf("%s %s: the store has changed", j.region, j.edge.From)
		}
	}
}

// dispositionOf is what the graph says of a pair that is no transition, or "".
func dispositionOf(region fsm.GraphRegion, state, event string) fsm.Disposition {
	if slices.ContainsFunc(region.Edges, func(e fsm.GraphEdge) bool { return e.From == state && e.Event == event }) {
		return ""
	}
	for _, rule := range region.Rules {
		if rule.From == state && rule.Event == event {
			return rule.Disposition
		}
	}
	return fsm.Illegal
}

func (w *walk) refused(u *upstream.Upstream, j journey, s step, want fsm.Disposition) {
	w.Helper()
	before := u.Snapshot()
	outcome, err := w.fire(u, s)
	after := u.Snapshot()
	switch {
	case outcome.Disposition != want || !errors.Is(err, errorOf[want]) || (err == nil) != (errorOf[want] == nil):
		w.Errorf("%s %s: %s: %s, want %s: %v", j.region, j.edge.From, s.event, outcome.Disposition, want, err)
	case want == fsm.Postponed:
		if !slices.Contains(after.Postponed(), s.event) || !reflect.DeepEqual(after.Regions, before.Regions) ||
			!reflect.DeepEqual(after.Data, before.Data) {
			w.Errorf("%s %s: %s was postponed, and more has changed", j.region, j.edge.From, s.event)
		}
	case after != before:
		w.Errorf("%s %s: %s is %s, and the machine has changed", j.region, j.edge.From, s.event, want)
	}
}

// Each guard of each transition refuses what it is there for, and names itself.
func TestEachGuardRefuses(t *testing.T) {
	var all []journey
	for _, region := range transitions.Definition().Graph().Regions {
		for _, edge := range region.Edges {
			for _, guard := range edge.Guards {
				all = append(all, journey{region: region.Name, edge: edge, guard: guard.Name, way: guardedWay(edge, guard.Name)})
			}
		}
	}
	w := newWalk(t, all)
	for i, j := range all {
		u := w.follow(i, j)
		s := step{event: transitions.Event(j.edge.Event), change: guarded[j.guard]}
		w.refused(u, j, s, fsm.Guarded)
		var guard *fsm.GuardError
		if _, err := w.fire(u, s); !errors.As(err, &guard) || guard.Guard != j.guard {
			t.Errorf("%s in %s: %v, want the guard %s", j.edge.Event, j.edge.From, err, j.guard)
		}
	}
}

// guarded are the changes that make an event one that the guard refuses. Where there
// is none the way to the state does.
var guarded = map[string]func(*transitions.Input){
	"byPerson":          func(in *transitions.Input) { in.Actor = fsm.Automatic },
	"currentGeneration": func(in *transitions.Input) { in.Payload.Generation = 99 },
	"openFlow":          func(in *transitions.Input) { in.Flow = "another" },
	"ownJob":            func(in *transitions.Input) { in.Epoch = 0 },
	"tokenWorks":        func(in *transitions.Input) { in.At = in.At.Add(24 * time.Hour) },
}

// guardedWay leads to where the guard refuses.
func guardedWay(edge fsm.GraphEdge, guard string) way {
	switch key := edge.From + " " + guard; key {
	case "LoginRequired browserLimit":
		return way{automatic, plain("Connect TokenSpent LoginTimedOut")}
	case "Fresh browserLimit":
		return way{automatic, plain("Connect TokenUsable ScopeInsufficient LoginProposed LoginLapsed")}
	case "Fresh scopesMissing":
		return way{automatic, plain("Connect TokenUsable")}
	case "Fresh hasRefreshToken":
		return way{"", []step{{event: transitions.Connect}, {event: transitions.TokenUsable, change: withoutRefresh}}}
	case "LoginRequired tokensTaken":
		return way{unattended, plain("Connect TokenUsable TokenRejected")}
	}
	switch guard {
	case "connectionDue":
		return ways[states.Connection+" "+edge.From]
	case "entryUsable":
		return way{unusable, ways[states.Credential+" "+edge.From].steps}
	case "provesPossession":
		bare := wayOf(states.Credential, edge.From, edge.Event)
		steps := slices.Clone(bare.steps)
		for i := range steps {
			steps[i].change = withoutKey
		}
		return way{bare.variant, steps}
	case "automaticLogin", "unattended":
		return ways[states.Credential+" "+edge.From]
	}
	return wayOf(states.Credential, edge.From, edge.Event)
}

func plain(events string) (steps []step) {
	for event := range strings.FieldsSeq(events) {
		steps = append(steps, step{event: transitions.Event(event)})
	}
	return steps
}
