package transitions

import (
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// requests are the events that need a user to want them, and the end of the proxy.
var requests = []Event{Connect, Disconnect, RetryRequested, LoginRequested, LoginCancelled, LogoutRequested, ConnectionShutdown,
	CredentialShutdown}

// ReachableAlone reports whether an upstream may come from its present states to some
// for which goal holds without a request of a user: by jobs and timers, by
// what servers and an open login's browser answer, and by what the regions say to each
// other. It reads the declaration alone and asks no guard, so that true means only that
// the graph does not exclude it.
func ReachableAlone(g fsm.Graph, connection, credential states.State, goal func(connection, credential states.State) bool) bool {
	r := reach{graph: g, said: map[string]bool{}}
	for _, region := range g.Regions {
		for _, edge := range region.Edges {
			r.note(edge.Signals)
		}
		for _, state := range region.States {
			r.note(state.Signals)
		}
	}
	return r.search(where{states.Connection: string(connection), states.Credential: string(credential)}, func(at where) bool {
		return goal(states.State(at[states.Connection]), states.State(at[states.Credential]))
	})
}

// where is a state of each region.
type where map[string]string

func (at where) key() string { return at[states.Connection] + " " + at[states.Credential] }

type reach struct {
	graph fsm.Graph
	// said are the events that one region says to the other, and nobody else fires.
	said map[string]bool
}

func (r reach) note(signals []string) {
	for _, event := range signals {
		r.said[event] = true
	}
}

func (r reach) search(from where, goal func(where) bool) bool {
	seen := map[string]bool{from.key(): true}
	for queue := []where{from}; len(queue) > 0; queue = queue[1:] {
		if goal(queue[0]) {
			return true
		}
		for _, next := range r.next(queue[0]) {
			if !seen[next.key()] {
				seen[next.key()] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// next are the states that one event no user asked for leads to.
func (r reach) next(at where) []where {
	var all []where
	for _, region := range r.graph.Regions {
		if kindOf(region, at[region.Name]) == fsm.Parked {
			continue
		}
		for _, edge := range region.Edges {
			if edge.From == at[region.Name] && !r.said[edge.Event] && !slices.Contains(requests, Event(edge.Event)) {
				all = append(all, r.follow(at, region, edge))
			}
		}
	}
	return all
}

// follow takes an edge, and those that its signals lead along.
func (r reach) follow(at where, region fsm.GraphRegion, edge fsm.GraphEdge) where {
	next := where{}
	for name, state := range at {
		next[name] = state
	}
	next[region.Name] = edge.To
	signals := edge.Signals
	if edge.To != edge.From {
		signals = append(slices.Clone(signals), stateOf(region, edge.To).Signals...)
	}
	for _, signal := range signals {
		for _, other := range r.graph.Regions {
			for _, answer := range other.Edges {
				if other.Name != region.Name && answer.From == next[other.Name] && answer.Event == signal {
					return r.follow(next, other, answer)
				}
			}
		}
	}
	return next
}

func stateOf(region fsm.GraphRegion, name string) fsm.GraphState {
	for _, state := range region.States {
		if state.Name == name {
			return state
		}
	}
	return fsm.GraphState{}
}

func kindOf(region fsm.GraphRegion, name string) fsm.Kind { return stateOf(region, name).Kind }
