package transitions

import (
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// What a connection lacks is noted by name, once, and is over with the connection
// whichever way that ends.
func TestPartsAreOfTheConnection(t *testing.T) {
	graph := Definition()
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	step := func(s *Snapshot, event Event, parts ...states.Part) *Snapshot {
		t.Helper()
		in := Input{Event: event, At: at, Actor: fsm.Person, Payload: Payload{Parts: parts}}
		for _, e := range connectionEvents() {
			if e.Name == event && e.Bound {
				in.Epoch = s.Region(states.Connection).Epoch
			}
		}
		if event == TokenMissing {
			in.Epoch = s.Region(states.Credential).Epoch
		}
		after, steps := graph.Step(s, in, nil)
		if steps.Err != nil {
			t.Fatalf("%s: %v", event, steps.Err)
		}
		return after
	}
	s, _ := graph.Start("u", states.Data{Settings: states.DefaultSettings()}, at)
	for _, event := range []Event{Connect, TokenMissing, ConnectTurn} {
		s = step(s, event)
	}
	s = step(s, Handshaken, states.Part{Name: "tools/list", Text: "once"})
	s = step(s, PartFailed, states.Part{Name: states.OwnStream, Text: "no"})
	s = step(s, PartFailed, states.Part{Name: "tools/list", Text: "twice"})
	if p := s.Data.Parts; len(p) != 2 || p[0].Name != states.OwnStream || p[1].Text != "twice" {
		t.Errorf("missing are %+v", p)
	}
	for _, end := range []Event{SessionLost, TransportFailed, CredentialParked, Disconnect, ConnectionShutdown} {
		if after := step(s, end); len(after.Data.Parts) != 0 {
			t.Errorf("after %s: %+v", end, after.Data.Parts)
		}
	}
	s = step(s, PartRestored, states.Part{Name: "tools/list"})
	if s = step(s, PartRestored, states.Part{Name: states.OwnStream}); s.Data.Parts != nil ||
		s.Region(states.Connection).State != states.Connected {
		t.Errorf("missing are %+v in %s", s.Data.Parts, s.Region(states.Connection).State)
	}
}
