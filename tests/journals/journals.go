// Package journals replays the journals of machines that tests have run against
// the graph, and keeps them where they are counted.
//
// Each rig that runs upstreams hands over what its machines did when they end; a
// journal that the graph does not explain fails the test. Where the environment
// names a directory (see [Directory]) the journals are also written there, one file
// of JSON lines each, for statectl replay and for the count of what was covered.
package journals

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/store"
	"mcpproxy/transitions"
)

// Directory is the environment's variable that names where journals are kept.
const Directory = "MCPPROXY_JOURNALS"

// Check replays the entries of one life of any number of machines, and fails the
// test at the first entry of each that the graph does not explain.
func Check(t testing.TB, entries []fsm.Entry) {
	t.Helper()
	CheckAs(t, "journal", entries)
}

// CheckAs is Check for entries of a kind that is counted by itself, as it names the
// files.
func CheckAs(t testing.TB, kind string, entries []fsm.Entry) {
	t.Helper()
	graph := transitions.Definition()
	for machine, journal := range split(entries) {
		if err := graph.Replay(journal); err != nil {
			t.Errorf("the journal of %s: %v", machine, err)
		}
	}
	if err := Keep(kind, entries); err != nil {
		t.Error(err)
	}
}

// CheckStore replays every journal that a store holds, over all restarts.
func CheckStore(t testing.TB, s *store.Store) {
	t.Helper()
	names, err := s.Upstreams()
	if err != nil {
		t.Error(err)
	}
	graph := transitions.Definition()
	for _, name := range names {
		lines, err := s.Journal(name, 0)
		if err != nil {
			t.Error(err)
		}
		var journal []fsm.Entry
		for _, line := range lines {
			var e fsm.Entry
			if err := json.Unmarshal(line, &e); err != nil {
				t.Errorf("the stored journal of %s: %v in %s", name, err, line)
				return
			}
			journal = append(journal, e)
		}
		if err := graph.Replay(journal); err != nil {
			t.Errorf("the stored journal of %s: %v", name, err)
		}
	}
}

func split(entries []fsm.Entry) map[string][]fsm.Entry {
	journals := map[string][]fsm.Entry{}
	for _, e := range entries {
		journals[e.Machine] = append(journals[e.Machine], e)
	}
	return journals
}

// Keep writes the entries to a new file in the [Directory], whose name begins with
// the kind; without a directory it does nothing.
func Keep(kind string, entries []fsm.Entry) (err error) {
	directory := os.Getenv(Directory)
	if directory == "" || len(entries) == 0 {
		return nil
	}
	file, err := os.CreateTemp(directory, kind+"-*.jsonl")
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(file)
	encoder := json.NewEncoder(buffered)
	for _, e := range entries {
		if err := encoder.Encode(e); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(buffered.Flush(), file.Close())
}
