package journal_test

import (
	"encoding/json"
	"testing"
	"time"

	"mcpproxy/fsm"
	"mcpproxy/journal"

	"github.com/google/go-cmp/cmp"
)

// What a line adds hides nothing of its entry, which whoever replays it reads out of the line.
func TestALineIsAnEntry(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	entry := fsm.Entry{Machine: "u", Region: "connection", Event: "ReconnectDue", Sequence: 7, Epoch: 3, Time: at,
		Again: &fsm.Again{Round: 3, Times: 4, Last: at.Add(time.Minute)}}
	ms := int64(5)
	text, err := json.Marshal(journal.Line{Entry: entry, Passed: []string{"byPerson"}, InState: &ms, Refused: true, NewProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	var read fsm.Entry
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entry, read); diff != "" {
		t.Errorf("the entry of the line (-want +read):\n%s", diff)
	}
}
