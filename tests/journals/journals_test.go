package journals

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/fsm"
)

// Each rig that runs upstreams hands their journals over: what starts an instance or a
// manager of upstreams for a test names this package, or is a program that others run
// and whose store they read.
func TestEveryRigHandsItsJournalsOver(t *testing.T) {
	rigs := 0
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		of, _ := filepath.Rel("../..", path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (of == filepath.Join("tests", "bench") || of == filepath.Join("tests", "journals") ||
			entry.Name() == "node_modules"):
			return filepath.SkipDir // the benchmarks measure, in a module of their own
		case !strings.HasSuffix(of, ".go") || !strings.HasSuffix(of, "_test.go") && !strings.HasPrefix(of, "tests"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, starts := range []string{"instance.Start(", "upstream.NewManager("} {
			if strings.Contains(string(text), starts) {
				if rigs++; !strings.Contains(string(text), "journals.") && !strings.Contains(of, "simulation") {
					t.Errorf("%s runs upstreams, and nobody replays their journals", of)
				}
			}
		}
		return nil
	})
	if err != nil || rigs < 10 {
		t.Errorf("%d rigs were found: %v", rigs, err)
	}
}

func TestWhatTheGraphDoesNotExplainIsFound(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	begins := fsm.Entry{Time: at, Machine: "u", Region: "connection", Sequence: 1, Epoch: 3, Event: "Connect", Actor: fsm.Process,
		From: "Disconnected", To: "AwaitingCredential", Disposition: fsm.Moved}
	ends := begins
	ends.Event, ends.From, ends.To, ends.Sequence = "Handshaken", "AwaitingCredential", "Connected", 2
	before := begins
	before.Event, before.From, before.Disposition = "CredentialReady", "AwaitingCredential", fsm.Guarded
	before.To, before.Time = before.From, at.Add(-time.Hour)
	for name, journal := range map[string][]fsm.Entry{"nothing": nil, "a leap": {begins, ends}, "a broken promise": {begins, before}} {
		var record Record
		for _, e := range journal {
			record.Observe(e)
		}
		if err := record.Explained(); err == nil {
			t.Errorf("%s is explained", name)
		}
	}
}
