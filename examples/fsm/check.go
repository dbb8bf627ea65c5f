package main

import (
	"fmt"
	"time"

	"mcpproxy/fsm"
)

// situation is what a search need not visit twice.
type situation struct {
	state state
	data  data
}

// check goes through everything that the machine can do: in each situation, each event
// that the declaration has. It promises that no more than three attempts are made, and that
// every situation can still end well, and returns how many there are.
func check(d *fsm.Definition[state, event, data, payload]) (int, error) {
	now := time.Now()
	first, _ := d.Start("checked", data{}, now)
	of := func(s *fsm.Snapshot[state, event, data, payload]) situation {
		return situation{s.Region("download").State, s.Data}
	}
	seen := map[situation]bool{of(first): true}
	before := map[situation][]situation{}
	for queue := []*fsm.Snapshot[state, event, data, payload]{first}; len(queue) > 0; queue = queue[1:] {
		from := queue[0]
		for _, declared := range d.Graph().Regions[0].Events {
			in := fsm.Input[event, payload]{Event: event(declared.Name), At: now}
			if declared.Bound {
				in.Epoch = from.Region("download").Epoch
			}
			to, _ := d.Next(from, in) // a refusal leads to the same situation
			if to.Data.Attempts > most {
				return 0, fmt.Errorf("%s in %v makes attempt %d", in.Event, of(from), to.Data.Attempts)
			}
			before[of(to)] = append(before[of(to)], of(from))
			if !seen[of(to)] {
				seen[of(to)] = true
				queue = append(queue, to)
			}
		}
	}
	return len(seen), endsWell(seen, before)
}

// endsWell goes backwards from where the file is there.
func endsWell(seen map[situation]bool, before map[situation][]situation) error {
	ends := map[situation]bool{}
	var mark func(situation)
	mark = func(s situation) {
		if ends[s] {
			return
		}
		ends[s] = true
		for _, earlier := range before[s] {
			mark(earlier)
		}
	}
	for s := range seen {
		if s.state == "Done" {
			mark(s)
		}
	}
	for s := range seen {
		if !ends[s] {
			return fmt.Errorf("there is no way on from %v to the file", s)
		}
	}
	return nil
}
