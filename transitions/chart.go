package transitions

import (
	"fmt"
	"strings"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// The words of the declaration.
type (
	chart    = fsm.Chart[states.State, Event, states.Data, Payload]
	region   = fsm.Region[states.State, Event, states.Data, Payload]
	block    = fsm.Node[states.State, Event, states.Data, Payload]
	blocks   = []block
	row      = fsm.Row[states.State, Event, states.Data, Payload]
	rows     = []row
	timer    = fsm.Timer[Event, states.Data]
	timers   = []timer
	job      = fsm.Job[Event]
	tags     = []fsm.Tag
	proposal = fsm.Proposal[states.State, Event, states.Data]
	offer    = fsm.Offer[states.State, Event, states.Data, Payload]
	offers   = []offer
	events   = []Event
	guards   = []Guard
)

func joined(reason string, on ...Event) row { return row{On: on, Disposition: fsm.Joined, Doc: reason} }
func postponed(reason string, on ...Event) row {
	return row{On: on, Disposition: fsm.Postponed, Doc: reason}
}
func ignored(reason string, on ...Event) row {
	return row{On: on, Disposition: fsm.Ignored, Doc: reason}
}

// instead has the row stand for what a composite state round it says of the events.
func instead(r row) row {
	r.Instead = true
	return r
}

// except takes the state out of what a composite state round it says of the events.
func except(on ...Event) row { return row{On: on, Disposition: fsm.Illegal, Instead: true} }

// within is a deadline that is counted from the entry.
func within(event Event, limit time.Duration) timer {
	return timer{Event: event, Doc: spoken(limit), After: limit,
		At: func(_ states.Data, entered time.Time) time.Time { return entered.Add(limit) }}
}

// spoken is a whole number of seconds without its zero parts.
func spoken(limit time.Duration) string {
	text := limit.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// Declaration returns both regions as flat rows, not yet compiled. It panics where the
// chart has a conflict, which a test excludes.
func Declaration() Spec {
	connection, err := connectionChart().Lower()
	if err != nil {
		panic(err)
	}
	credential, err := credentialChart().Lower()
	if err != nil {
		panic(err)
	}
	for i := range credential.Transitions {
		if own := credential.Transitions[i].Update; own != nil {
			credential.Transitions[i].Update = noticing(own)
		}
	}
	return Spec{Name: "upstream", Regions: []region{connection, credential}}
}

// Definition compiles the graph. It is the same for every upstream; compile it
// once and share it. It panics if the tables are inconsistent, which a test
// excludes.
func Definition() *Graph {
	graph, err := fsm.Compile(Declaration())
	if err != nil {
		panic(fmt.Errorf("the declared graph: %w", err))
	}
	return graph
}
