package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"mcpproxy/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What the example prints.
func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// checked: 15 situations keep the promises
	// stateDiagram-v2
	//   [*] --> Idle
	//   state Active {
	//     Fetching
	//     Paused
	//   }
	//   Idle --> Fetching : Start
	//   Active --> Idle : Cancel
	//   Fetching --> Done : Fetched
	//   Fetching --> Paused : Failed [attemptsLeft]
	//   Fetching --> Broken : GaveUp, timer TimedOut
	//   Paused --> Fetching : timer RetryDue
	//   Broken --> Fetching : Start
	//   Done --> Fetching : Start
	//   classDef parked fill:#eaeef2,stroke:#8c959f,stroke-width:1px,color:#1f2328
	//   class Idle,Broken parked
	//   classDef waiting fill:#fff8c5,stroke:#bf8700,stroke-width:1px,color:#1f2328
	//   class Paused waiting
	//   classDef working fill:#ddf4ff,stroke:#0969da,stroke-width:2px,color:#1f2328
	//   class Fetching working
	//   classDef serving fill:#dafbe1,stroke:#1a7f37,stroke-width:3px,color:#1f2328
	//   class Done serving
	//
	// illegal transition refused: report.pdf: Cancel in state Idle (download, epoch 1): there is nothing to cancel; accepted now: Start
	// Cancel: Idle -> Idle (illegal)
	// Start: Idle -> Fetching (moved)
	// Failed: Fetching -> Paused (moved)
	// RetryDue: Paused -> Fetching (moved)
	// Failed: Fetching -> Paused (moved)
	// RetryDue: Paused -> Fetching (moved)
	// Fetched: Fetching -> Done (moved)
}

// A declaration that breaks a promise is found by the search, and one that is not whole by
// the compiler.
func TestWhatIsWrongWithADeclarationIsFound(t *testing.T) {
	never := fsm.Guard[event, data, payload]{Name: "never", Doc: "it is never so", Check: func(data, *fsm.Input[event, payload]) error {
		return errors.New("no")
	}}
	for want, change := range map[string]func(*fsm.Chart[state, event, data, payload]){
		"RetryDue in {Paused {3}} makes attempt 4": func(c *fsm.Chart[state, event, data, payload]) {
			c.States[1].States[0].Rows[1].Guards = nil
		},
		"there is no way on from {Broken {": func(c *fsm.Chart[state, event, data, payload]) {
			c.States[2].Rows[0].Guards = append(c.States[2].Rows[0].Guards, never)
		},
		"state Broken is a dead end": func(c *fsm.Chart[state, event, data, payload]) {
			c.States[2].Rows = nil
		},
	} {
		chart := declaration()
		change(&chart)
		definition, err := compile(chart)
		if err == nil {
			_, err = check(definition)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
