package fsm_test

import (
	"testing"
	"time"

	"mcpproxy/fsm"

	"github.com/google/go-cmp/cmp"
)

type choice = fsm.Offer[state, event, data, payload]

// What a user can do is read from the states that the machine is in: the first of an event
// counts, and what is last comes after all regions'.
func TestOffered(t *testing.T) {
	spec := doorSpec()
	spec.Regions[0].States[0].Offers = []choice{
		{Event: knock, Doc: "asks whoever is within", When: func(s *fsm.Snapshot[state, event, data, payload]) bool { return s.Data.Opened > 0 }},
		{Event: knock, Doc: "asks", Last: true},
		{Event: knock, Doc: "asks again", Last: true},
	}
	spec.Regions[1].States[0].Offers = []choice{{Event: push, Doc: "opens the door"}}
	d, err := fsm.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	for opened, want := range map[int][]fsm.Offered{
		0: {{Event: "Push", Doc: "opens the door"}, {Event: "Knock", Doc: "asks"}},
		1: {{Event: "Knock", Doc: "asks whoever is within"}, {Event: "Push", Doc: "opens the door"}},
	} {
		s, _ := d.Start("door", data{Opened: opened}, time.Unix(0, 0))
		if diff := cmp.Diff(want, d.Offered(s)); diff != "" {
			t.Errorf("opened %d times (-want +have):\n%s", opened, diff)
		}
	}
}
