package transitions

import (
	"slices"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// Tags of states: what else would be lists of states beside the declaration.
const (
	// Resting: nothing is missing; the connection has its answer, or will have it at once.
	Resting fsm.Tag = "resting"
	// LoginOpen: the state belongs to an open authorization flow.
	LoginOpen fsm.Tag = "login-open"
	// NeedsUser: only a user ends the state.
	NeedsUser fsm.Tag = "needs-user"
	// AwaitsUser: there is something that a user can do now so that it goes on.
	AwaitsUser fsm.Tag = "awaits-user"
	// Obtaining: a token is on its way, or will be tried for; the current one is used while it
	// works, and what is heard of it is noted.
	Obtaining fsm.Tag = "obtaining"
	// Renewing: that is done with a refresh token.
	Renewing fsm.Tag = "renewing"
	// Failing: renewing has failed for longer than a call waits for it.
	Failing fsm.Tag = "failing"
	// Finishing: what has begun has sent, or erases, what cannot be taken back; it can only be
	// finished.
	Finishing fsm.Tag = "finishing"
	// Passing: a step on the way to what users want to know.
	Passing fsm.Tag = "passing"
	// Paced: the next attempt comes after a pause that grows with how many wait for theirs.
	Paced fsm.Tag = "paced"
	// Attempting: something is being tried that a call waits for.
	Attempting fsm.Tag = "attempting"
)

// tagged has the tags of each state, by region, as they are declared.
var tagged = tagsOf(connectionChart(), credentialChart())

func tagsOf(charts ...chart) map[string]map[states.State][]fsm.Tag {
	all := map[string]map[states.State][]fsm.Tag{}
	for _, c := range charts {
		region, err := c.Lower()
		if err != nil {
			panic(err)
		}
		all[c.Name] = map[states.State][]fsm.Tag{}
		for i := range region.States {
			all[c.Name][region.States[i].Name] = region.States[i].Tags
		}
	}
	return all
}

// Is reports whether a state of a region has the tag. Who has a snapshot asks it
// ([fsm.Place.Is]); this is for those who have a state's name, from a journal say.
func Is(region string, state states.State, tag fsm.Tag) bool {
	return slices.Contains(tagged[region][state], tag)
}

// PhaseOfStates projects the two regions' states onto the phase. works says whether
// requests can be carried ([states.Data.Works]).
func PhaseOfStates(connection, credential states.State, works bool) states.Phase {
	if Leading(connection, credential, works) == states.Credential {
		return states.Phase(credential)
	}
	return states.Phase(connection)
}

// Leading is the region whose state is the phase.
func Leading(connection, credential states.State, works bool) string {
	waits := connection == states.AwaitingCredential || connection == states.AwaitingLogin
	if waits && !Is(states.Credential, credential, Resting) || connection == states.Connected && !works {
		return states.Credential
	}
	return states.Connection
}
