package engine

import (
	"context"
	"runtime"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"

	looplab "github.com/looplab/fsm"
	library "github.com/qmuntal/stateless"
)

// instances make what each subject needs for one machine more, of the turnstile and
// of the graph that the proxy runs for each upstream.
var instances = map[string]struct{ turnstile, upstream func() any }{
	"switch": {func() any { return &handmade{state: locked} }, nil},
	"looplab": {
		func() any { return looplab.NewFSM(locked, edges, nil) },
		func() any { return eachRegion(looplabOf) },
	},
	"fsm": {
		func() any { return fsm.New(definition, "turnstile", count{}, time.Time{}, options{}) },
		func() any {
			return fsm.New(upstreams, "upstream", states.Data{}, time.Time{}, fsm.Options[states.State, transitions.Event, states.Data, transitions.Payload]{})
		},
	},
	"stateless": {
		func() any {
			m := library.NewStateMachine(locked)
			m.Configure(locked).Permit(coin, unlocked, func(_ context.Context, args ...any) bool { return args[0].(int) >= price })
			m.Configure(unlocked).Permit(push, locked)
			return m
		},
		func() any { return eachRegion(statelessOf) },
	},
}

// eachRegion makes one machine for each region of an upstream's graph.
func eachRegion(machine func(fsm.GraphRegion) any) []any {
	var all []any
	for _, r := range graph.Regions {
		all = append(all, machine(r))
	}
	return all
}

var (
	upstreams = transitions.Definition()
	graph     = upstreams.Graph()
)

func looplabOf(r fsm.GraphRegion) any {
	var edges looplab.Events
	for _, e := range r.Edges {
		edges = append(edges, looplab.EventDesc{Name: e.Event, Src: []string{e.From}, Dst: e.To})
	}
	return looplab.NewFSM(r.Initial, edges, nil)
}

func statelessOf(r fsm.GraphRegion) any {
	m := library.NewStateMachine(r.Initial)
	for _, e := range r.Edges {
		if e.Internal {
			m.Configure(e.From).InternalTransition(e.Event, func(context.Context, ...any) error { return nil })
		} else {
			m.Configure(e.From).Permit(e.Event, e.To)
		}
	}
	return m
}

// idle is the heap that an instance takes that does nothing.
func idle(instance func() any) float64 {
	const instances = 1000
	all := make([]any, instances)
	before := heap()
	for i := range all {
		all[i] = instance()
	}
	after := heap()
	runtime.KeepAlive(all)
	return float64(int64(after)-int64(before)) / instances
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools hold outlasts one
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
