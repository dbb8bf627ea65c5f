package main

import (
	"errors"
	"time"

	"mcpproxy/fsm"
)

type (
	state string
	event string
	// data is what a download knows. It is a value: an update returns another one.
	data struct{ Attempts int }
	// payload is what an event carries.
	payload struct{ Err error }
)

const most = 3 // attempts

// declaration is the machine, state by state: a block says everything about a state, and a
// composite state round others what they share.
func declaration() fsm.Chart[state, event, data, payload] {
	type (
		node  = fsm.Node[state, event, data, payload]
		row   = fsm.Row[state, event, data, payload]
		timer = fsm.Timer[event, data]
		guard = fsm.Guard[event, data, payload]
	)
	after := func(d time.Duration) func(data, time.Time) time.Time {
		return func(_ data, entered time.Time) time.Time { return entered.Add(d) }
	}
	first := func(data, *fsm.Input[event, payload]) data { return data{Attempts: 1} }
	next := func(d data, _ *fsm.Input[event, payload]) data { return data{d.Attempts + 1} }
	attemptsLeft := guard{
		Name: "attemptsLeft",
		Doc:  "fewer than three attempts were made",
		Check: func(d data, _ *fsm.Input[event, payload]) error {
			if d.Attempts >= most {
				return errors.New("three attempts were made")
			}
			return nil
		},
	}
	return fsm.Chart[state, event, data, payload]{
		Name: "download", Doc: "One file.", Initial: "Idle",
		Events: []fsm.Event[event]{
			{Name: "Start", Doc: "a user wants the file", Otherwise: "it means something in every state"},
			{Name: "Cancel", Doc: "a user does not want it any more", Otherwise: "there is nothing to cancel"},
			{Name: "Fetched", Bound: true, Doc: "the file is there", Otherwise: "nothing is being fetched"},
			{Name: "Failed", Bound: true, Doc: "the server did not give it; another attempt is worth it", Otherwise: "nothing is being fetched"},
			{Name: "GaveUp", Bound: true, Doc: "another attempt is not worth it", Otherwise: "nothing is being fetched"},
			{Name: "TimedOut", Bound: true, Doc: "the server did not answer", Otherwise: "nothing is being fetched"},
			{Name: "RetryDue", Bound: true, Doc: "the pause is over", Otherwise: "there is no pause"},
		},
		States: []node{
			{Name: "Idle", Kind: fsm.Parked, Doc: "Nobody wants the file.", Rows: []row{
				{On: []event{"Start"}, To: "Fetching", Update: first, Main: true},
			}},
			{Name: "Active", Doc: "The file is wanted.",
				Rows: []row{
					{On: []event{"Start"}, Disposition: fsm.Joined, Doc: "it is on its way already"},
					{On: []event{"Cancel"}, To: "Idle"},
				},
				States: []node{
					{Name: "Fetching", Kind: fsm.Working, Doc: "The server is asked.",
						Job:    fsm.Job[event]{Name: "fetch", Crashed: "GaveUp"},
						Timers: []timer{{Event: "TimedOut", Doc: "10 s", At: after(10 * time.Second)}},
						Rows: []row{
							{On: []event{"Fetched"}, To: "Done", Main: true},
							{On: []event{"Failed"}, To: "Paused", Guards: []guard{attemptsLeft}},
							{On: []event{"GaveUp", "TimedOut"}, To: "Broken"},
						}},
					{Name: "Paused", Kind: fsm.Waiting, Doc: "The server is given time.",
						Timers: []timer{{Event: "RetryDue", Doc: "10 ms", At: after(10 * time.Millisecond)}},
						Rows:   []row{{On: []event{"RetryDue"}, To: "Fetching", Update: next}}},
				}},
			{Name: "Broken", Kind: fsm.Parked, Doc: "Only a user tries again.", Rows: []row{
				{On: []event{"Start"}, To: "Fetching", Update: first},
			}},
			{Name: "Done", Kind: fsm.Serving, Doc: "The file is there.", Rows: []row{
				{On: []event{"Start"}, To: "Fetching", Update: first, Doc: "a newer one is wanted"},
			}},
		},
	}
}

// compile makes the machine of its declaration, or says everything that is wrong with it.
func compile(c fsm.Chart[state, event, data, payload]) (*fsm.Definition[state, event, data, payload], error) {
	region, err := c.Lower()
	if err != nil {
		return nil, err
	}
	return fsm.Compile(fsm.Spec[state, event, data, payload]{Name: "download", Regions: []fsm.Region[state, event, data, payload]{region}})
}
