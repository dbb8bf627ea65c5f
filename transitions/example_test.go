package transitions_test

import (
	"fmt"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// The declared graph decides without a network or a disk: an upstream whose server wants a
// login, step by step, and a callback that nobody waits for.
func Example() {
	graph, now := transitions.Definition(), time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	s, _ := graph.Start("github", states.Data{Settings: states.DefaultSettings()}, now)
	give := func(region string, in transitions.Input) {
		in.At, in.Epoch = now, s.Region(region).Epoch
		var steps transitions.Steps
		s, steps = graph.Next(s, in)
		fmt.Println(in.Event, steps.Outcome.Disposition, "- it is", transitions.PhaseOf(s))
	}
	give(states.Connection, transitions.Input{Event: transitions.Connect, Actor: fsm.Process})
	give(states.Credential, transitions.Input{Event: transitions.TokenMissing})
	give(states.Connection, transitions.Input{Event: transitions.ConnectTurn})
	give(states.Credential, transitions.Input{Event: transitions.Challenged})
	give(states.Credential, transitions.Input{Event: transitions.CodeReceived})
	// Output:
	// Connect moved - it is LoadingToken
	// TokenMissing moved - it is ConnectQueued
	// ConnectTurn moved - it is Connecting
	// Challenged moved - it is LoginRequired
	// CodeReceived illegal - it is LoginRequired
}
