package transitions_test

import (
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// Faults of the graph that the search has found, each as the shortest life that showed it.
func TestFaultsThatTheSearchFound(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	token := &credential.Token{Generation: 1, Access: credential.NewSecret("a"), Refresh: credential.NewSecret("r"), ObtainedAt: now,
		ExpiresAt: now.Add(time.Hour)}
	flow := &credential.Flow{ID: "f", Deadline: now.Add(5 * time.Minute)}
	with := func(t *credential.Token, f *credential.Flow) transitions.Payload {
		return transitions.Payload{Token: t, Flow: f, Generation: 1}
	}
	type step struct {
		event   transitions.Event
		payload transitions.Payload
	}
	for name, test := range map[string]struct {
		life   []step
		ends   states.State
		reason states.Reason
		said   fsm.Disposition
	}{
		// The server may forget a client while its code waits to be entered.
		"a client forgotten during a login with a device": {
			life: []step{{transitions.CredentialDemanded, transitions.Payload{}}, {transitions.DeviceFlowOpen, with(nil, flow)},
				{transitions.ClientForgotten, transitions.Payload{}}},
			ends: states.LoginRequired, reason: states.ClientForgotten, said: fsm.Moved},
		"a client refused during a login with a device": {
			life: []step{{transitions.CredentialDemanded, transitions.Payload{}}, {transitions.DeviceFlowOpen, with(nil, flow)},
				{transitions.ClientRejected, transitions.Payload{}}},
			ends: states.Failed, reason: states.ClientRejected, said: fsm.Moved},
		// Nobody can log out of what the configuration gives: nothing would lead back.
		"a logout from a configured credential": {
			life: []step{{transitions.CredentialDemanded, transitions.Payload{}}, {transitions.CredentialNotNeeded, transitions.Payload{}},
				{transitions.LogoutRequested, transitions.Payload{}}},
			ends: states.NotNeeded, said: fsm.Ignored},
		// A login that is given up beside a token that works ends what it was asked for.
		"a failure that a login beside a token has outlived": {
			life: []step{{transitions.CredentialDemanded, transitions.Payload{}}, {transitions.StoreFailed, transitions.Payload{}},
				{transitions.LoginRequested, transitions.Payload{}},
				{transitions.Discovered, transitions.Payload{}}, {transitions.Registered, with(token, flow)}, {transitions.LoginAbandoned, transitions.Payload{}}},
			ends: states.Fresh, said: fsm.Moved},
		"the same, by its deadline": {
			life: []step{{transitions.CredentialDemanded, transitions.Payload{}}, {transitions.StoreFailed, transitions.Payload{}},
				{transitions.LoginRequested, transitions.Payload{}},
				{transitions.Discovered, transitions.Payload{}}, {transitions.Registered, with(token, flow)}, {transitions.LoginLapsed, transitions.Payload{}}},
			ends: states.Fresh, said: fsm.Moved},
	} {
		t.Run(name, func(t *testing.T) {
			graph := transitions.Definition()
			s, _ := graph.Start("u", states.Data{Settings: states.DefaultSettings()}, now)
			var last fsm.Disposition
			for _, step := range test.life {
				after, steps := graph.Step(s, transitions.Input{Event: step.event, Actor: fsm.Person, At: now, Flow: "f",
					Epoch: epochFor(step.event, s), Payload: step.payload}, nil)
				if s, last = after, steps.Outcome.Disposition; steps.Err != nil {
					t.Fatal(steps.Err)
				}
			}
			at := s.Region(states.Credential).State
			if at != test.ends || s.Data.Reason != test.reason || last != test.said || s.Data.FlowID != "" {
				t.Errorf("%s, which is %s for the reason %q with the flow %q", last, at, s.Data.Reason, s.Data.FlowID)
			}
		})
	}
}

// epochFor is the present entry's for outcomes, and none for what comes from outside.
func epochFor(event transitions.Event, s *transitions.Snapshot) uint64 {
	for _, r := range transitions.Declaration().Regions {
		for _, e := range r.Events {
			if e.Name == event && e.Bound {
				return s.Region(r.Name).Epoch
			}
		}
	}
	return 0
}
