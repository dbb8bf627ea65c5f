package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/tests/golden"
	"mcpproxy/transitions"
)

// recordedLife is the journal of an upstream from its start over a login to the
// first renewal, refusals among it, as a machine wrote it.
func recordedLife(t *testing.T, machine string, begun time.Time) []fsm.Entry {
	t.Helper()
	var entries []fsm.Entry
	m := fsm.New(transitions.Definition(), machine, states.Data{Settings: states.DefaultSettings()}, begun,
		fsm.Options[states.State, transitions.Event, states.Data, transitions.Payload]{
			Journal: func(e *fsm.Entry) { entries = append(entries, *e) },
		})
	now := begun
	fire := func(region string, in transitions.Input) {
		t.Helper()
		now = now.Add(time.Second)
		in.At = now
		if region != "" {
			in.Epoch = m.Snapshot().Region(region).Epoch
		}
		_, _ = m.Fire(in) // refusals belong into a journal
	}
	token := func(generation uint64) *credential.Token {
		return &credential.Token{Generation: generation, Refresh: credential.NewSecret("r"), ObtainedAt: now, ExpiresAt: now.Add(time.Hour)}
	}
	fire("", transitions.Input{Event: transitions.Connect, Actor: fsm.Process})
	fire(states.Credential, transitions.Input{Event: transitions.TokenMissing})
	fire(states.Connection, transitions.Input{Event: transitions.ConnectTurn})
	fire("", transitions.Input{Event: transitions.Challenged})
	fire(states.Connection, transitions.Input{Event: transitions.Unauthorized})
	fire("", transitions.Input{Event: transitions.LoginProposed, Flow: "f1"})
	fire("", transitions.Input{Event: transitions.LoginRequested, Actor: fsm.Person, Flow: "f2"})
	fire(states.Credential, transitions.Input{Event: transitions.Discovered, Flow: "f2"})
	fire(states.Credential, transitions.Input{Event: transitions.Registered, Flow: "f2",
		Payload: transitions.Payload{Flow: &credential.Flow{ID: "f2"}}})
	fire("", transitions.Input{Event: transitions.LoginRequested, Actor: fsm.Person, Flow: "f3"})
	fire("", transitions.Input{Event: transitions.CodeReceived, Actor: fsm.Person, Flow: "f2"})
	fire(states.Credential, transitions.Input{Event: transitions.CodeExchanged, Flow: "f2", Payload: transitions.Payload{Token: token(1)}})
	fire(states.Connection, transitions.Input{Event: transitions.ConnectTurn})
	fire(states.Connection, transitions.Input{Event: transitions.Handshaken})
	fire(states.Credential, transitions.Input{Event: transitions.RenewDue, Actor: fsm.Clock})
	fire(states.Credential, transitions.Input{Event: transitions.RefreshTurn})
	fire("", transitions.Input{Event: transitions.LogoutRequested, Actor: fsm.Person})
	fire(states.Credential, transitions.Input{Event: transitions.Refreshed, Payload: transitions.Payload{Token: token(2)}})
	if last := entries[len(entries)-1]; last.RaisedBy != string(transitions.LogoutRequested) {
		t.Fatalf("the life ends with %+v", last)
	}
	return entries
}

// Golden files show what users read of whole and of doctored journals; -update
// writes them again.
func TestReplay(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	life, later := recordedLife(t, "github", noon), recordedLife(t, "github", noon.Add(time.Hour))
	other := recordedLife(t, "jira", noon)
	find := func(entries []fsm.Entry, event transitions.Event) int {
		return slices.IndexFunc(entries, func(e fsm.Entry) bool { return e.Event == string(event) && !e.Disposition.Refused() })
	}
	doctored := func(event transitions.Event, change func(*fsm.Entry)) []fsm.Entry {
		entries := slices.Clone(life)
		change(&entries[find(entries, event)])
		return entries
	}
	for name, entries := range map[string][]fsm.Entry{
		"whole":            life,
		"restarted":        slices.Concat(life[:len(life)-3], later),
		"trimmed":          life[5:],
		"two-upstreams":    slices.Concat(life[:4], other, life[4:]),
		"empty":            {},
		"a-second-browser": doctored(transitions.CodeReceived, func(e *fsm.Entry) { e.To = string(states.AwaitingBrowser) }),
		"a-refused-logout": doctored(transitions.LogoutRequested, func(e *fsm.Entry) { e.Disposition = fsm.Illegal }),
		"an-old-epoch":     doctored(transitions.Registered, func(e *fsm.Entry) { e.Epoch = 4 }),
		"a-missing-entry":  slices.Delete(slices.Clone(life), find(life, transitions.Discovered), find(life, transitions.Discovered)+1),
		"a-missing-signal": slices.Delete(slices.Clone(life), find(life, transitions.CredentialParked), find(life, transitions.CredentialParked)+1),
		"a-later-life":     slices.Concat(life, later[:3], later[5:]),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal.jsonl")
			writeLines(t, path, entries)
			text, err := replayFile(path)
			explained := !slices.ContainsFunc([]string{"a-", "an-"}, func(bad string) bool { return strings.HasPrefix(name, bad) })
			if explained != (err == nil) || err != nil && !errors.Is(err, errUnexplained) {
				t.Errorf("error %v", err)
			}
			golden.Compare(t, filepath.Join("testdata", "replay", name+".txt"), text)
		})
	}
}

// What history --json prints is a journal too.
func TestReplayReadsAnArray(t *testing.T) {
	life := recordedLife(t, "github", time.Now())
	text, err := json.Marshal(life)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal.json")
	if err := os.WriteFile(path, append([]byte(" \n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	var all []replayed
	out, err := replayFile(path, "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &all)
	}
	if err != nil || len(all) != 1 || all[0].Entries != len(life) || all[0].Unexplained != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// What is no journal is said with its place, and is not taken for a bad one.
func TestReplayOfWhatIsNoJournal(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"no JSON":             {"hello", "entry 1"},
		"something else":      {`{"a": 1}`, "machine, event and disposition"},
		"cut off":             {`{"machine":"u","event":"Connect","disposition":"moved"}` + "\n" + `{"machine":`, "entry 2"},
		"an array, cut off":   {`[{"machine":"u","event":"Connect","disposition":"moved"}`, "entry 2"},
		"an array of numbers": {`[1]`, "entry 1"},
	} {
		path := filepath.Join(t.TempDir(), "journal.jsonl")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := replayFile(path); err == nil || errors.Is(err, errUnexplained) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func replayFile(path string, flags ...string) (string, error) {
	var out bytes.Buffer
	c := root()
	c.SetArgs(append([]string{"replay", path}, flags...))
	c.SetOut(&out)
	err := c.Execute()
	return out.String(), err
}

func writeLines(t *testing.T, path string, entries []fsm.Entry) {
	t.Helper()
	var lines bytes.Buffer
	for _, e := range entries {
		if err := json.NewEncoder(&lines).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
