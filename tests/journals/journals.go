// Package journals replays the journals of machines that tests have run against
// the graph, audits them, and keeps them where they are counted.
//
// Each rig that runs upstreams hands over what its machines did when they end; a
// journal that the graph does not explain, or that breaks a promise, fails the test. Where the environment
// names a directory (see [Directory]) the journals are also written there, one file
// of JSON lines each, for statectl replay and for the count of what was covered.
package journals

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/verify"
)

// Directory is the environment's variable that names where journals are kept.
const Directory = "MCPPROXY_JOURNALS"

// Check replays and audits the entries of any number of machines, over all restarts that
// are in them, and fails the test at the first entry of each that the graph does not
// explain, or that breaks a promise.
func Check(t testing.TB, entries []fsm.Entry) {
	t.Helper()
	if err := errors.Join(judge(entries), Keep("journal", entries)); err != nil {
		t.Error(err)
	}
}

// CheckAs is for entries of a kind that is counted by itself, as it names the files, and
// whose events the test made up, whatever the actor, clock and data: they are replayed, and
// not audited.
func CheckAs(t testing.TB, kind string, entries []fsm.Entry) {
	t.Helper()
	if err := errors.Join(explain(entries), Keep(kind, entries)); err != nil {
		t.Error(err)
	}
}

// judge replays the entries of each machine, and audits them.
func judge(entries []fsm.Entry) error { return each(entries, Audit) }

func explain(entries []fsm.Entry) error { return each(entries, transitions.Definition().Replay) }

func each(entries []fsm.Entry, judge func([]fsm.Entry) error) error {
	journals := map[string][]fsm.Entry{}
	for _, e := range entries {
		journals[e.Machine] = append(journals[e.Machine], e)
	}
	var wrong []error
	for machine, journal := range journals {
		if err := judge(journal); err != nil {
			wrong = append(wrong, fmt.Errorf("the journal of %s: %w", machine, err))
		}
	}
	return errors.Join(wrong...)
}

// Audit holds one machine's journal to the graph and to the promises: the error names the
// first entry that breaks each.
func Audit(journal []fsm.Entry) error {
	var broken []error
	for _, f := range verify.Audit(journal) {
		broken = append(broken, fmt.Errorf("entry %d (%s: %s in %s) breaks %q: %s", f.Number, f.Entry.Region, f.Entry.Event, f.Entry.From,
			f.Promise, f.Why))
	}
	return errors.Join(broken...)
}

// CheckStore replays and audits every journal that a store holds, over all restarts.
func CheckStore(t testing.TB, s *store.Store) {
	t.Helper()
	if err := Stored(s); err != nil {
		t.Error(err)
	}
}

// CheckStoreAs is CheckStore for journals that are those of [CheckAs].
func CheckStoreAs(t testing.TB, s *store.Store) {
	t.Helper()
	if err := stored(s, explain); err != nil {
		t.Error(err)
	}
}

// Stored is CheckStore outside of a test: the error says what is wrong.
func Stored(s *store.Store) error { return stored(s, judge) }

func stored(s *store.Store, judge func([]fsm.Entry) error) error {
	names, err := s.Upstreams()
	if err != nil {
		return err
	}
	var journal []fsm.Entry
	for _, name := range names {
		lines, err := s.Journal(name, 0)
		if err != nil {
			return err
		}
		for _, line := range lines {
			var e fsm.Entry
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("the stored journal of %s: %w in %s", name, err, line)
			}
			journal = append(journal, e)
		}
	}
	return judge(journal)
}

// Decoded are the entries of a journal's lines.
func Decoded(t testing.TB, lines []json.RawMessage) (journal []fsm.Entry) {
	t.Helper()
	for _, line := range lines {
		var e fsm.Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		journal = append(journal, e)
	}
	return journal
}

// Record is everything that an instance's machines did. The zero value is empty; it is
// safe for concurrent use.
type Record struct {
	mu   sync.Mutex
	seen []fsm.Entry
}

// Observe adds an entry; it is an instance.Options.Observe.
func (r *Record) Observe(e fsm.Entry) {
	if e.From == string(states.Closed) && e.RaisedBy == "" {
		return // someone fired at an upstream that is over; its successor may live already
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, e)
}

// Explained replays the record, once what it observes has ended. The error says what
// the graph does not explain, or that nothing was observed at all.
func (r *Record) Explained() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return errors.New("the instance was not observed, so that no journal can be replayed")
	}
	return errors.Join(judge(r.seen), Keep("instance", r.seen))
}

// Watch returns an observer for an instance that a test runs, whose record is replayed
// when the test has ended. Ask for it before the cleanup that closes the instance is
// registered.
func Watch(t testing.TB) func(fsm.Entry) {
	t.Helper()
	var record Record
	t.Cleanup(func() {
		if err := record.Explained(); err != nil {
			t.Error(err)
		}
	})
	return record.Observe
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
