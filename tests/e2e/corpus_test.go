package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

var corpus = flag.String("corpus", "", "write what the proxy of this version leaves into a new directory of this name in testdata/corpus")

// lives are what the corpus has a journal of.
var lives = map[string]func(*machine){
	"login-logout": func(m *machine) {
		m.start("--browser", m.browser())
		m.login()
		m.mustRun("mcpproxy", "auth", "logout", "u")
		m.login()
	},
	"expiry-refresh-restart":  func(m *machine) { m.renewed() },
	"expiry-refresh-rejected": func(m *machine) { m.renewed(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant"}) },
	"refresh-after-two-outages": func(m *machine) {
		m.renewed(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: 503, Count: 2})
	},
	"killed-in-a-refresh": func(m *machine) {
		m.start("--browser", m.browser())
		m.login()
		m.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "hold-after", Count: 1})
		m.server.RevokeAccess()
		address := m.address
		done := make(chan struct{})
		go func() { defer close(done); _ = callAt(address) }() // dies with the proxy
		m.eventually("the refresh to arrive", func() bool { return m.server.Counters().TokenRefresh == 1 })
		m.kill()
		<-done
		m.start("--browser", m.browser())
		_ = m.call() // the refresh token was used up
	},
}

// renewed has a token expire while no proxy runs, and the faults meet its renewal.
func (m *machine) renewed(faults ...oauthserver.Fault) {
	m.start("--browser", m.browser())
	m.loginFor(3)
	_ = m.call() // what becomes of it is in the journal
	m.kill()
	<-time.NewTimer(3200 * time.Millisecond).C // the token expires by the server's clock
	m.setFaults(faults...)
	m.start()
	_ = m.call()
}

// What a version leaves behind is kept, for the versions after it; see TestWhatEarlierVersionsLeft.
func TestWriteTheCorpus(t *testing.T) {
	for name, live := range lives {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, oauthserver.Options{AutoApprove: true})
			live(m)
			m.kill()
			if out := m.mustRun("statectl", "audit"); !strings.Contains(out, "promises held") {
				t.Errorf("this version's own life: %s", out)
			}
			if *corpus == "" {
				return
			}
			directory := filepath.Join("testdata", "corpus", *corpus, name)
			if err := os.MkdirAll(directory, 0o755); err != nil {
				t.Fatal(err)
			}
			for from, to := range map[string]string{"store.db": "store.db", "key": "key"} {
				text, err := os.ReadFile(filepath.Join(m.dir, from))
				if err == nil {
					err = os.WriteFile(filepath.Join(directory, to), text, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			journal := []byte(m.mustRun("statectl", "history", "u", "--json"))
			if err := os.WriteFile(filepath.Join(directory, "journal.json"), journal, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The upgrade check: what an earlier version has left is explained by the graph of this one
// and breaks no promise, and its store opens.
func TestWhatEarlierVersionsLeft(t *testing.T) {
	const advice = "users have such journals and stores: keep the transition or the state that it names, let replay read the old name, or " +
		"raise the store's schema version and convert what is stored; then say so in CHANGELOG.md. Do not write the corpus again"
	kept, err := filepath.Glob("testdata/corpus/*/*/journal.json")
	if err != nil || len(kept) < len(lives) {
		t.Fatalf("%d journals of earlier versions: %v; make corpus VERSION=... writes them", len(kept), err)
	}
	t.Parallel()
	for _, journal := range kept {
		m := newSequentialMachine(t, oauthserver.Options{})
		for _, name := range []string{"store.db", "key"} {
			text, err := os.ReadFile(filepath.Join(filepath.Dir(journal), name))
			if err == nil {
				err = os.WriteFile(filepath.Join(m.dir, name), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, command := range [][]string{{"replay", journal}, {"audit", journal}, {"replay"}, {"audit"}, {"dump"}} {
			if code, out, errs := m.run("statectl", command...); code != 0 {
				t.Errorf("%s: statectl %v: exit code %d: %s%s; %s", journal, command, code, out, errs, advice)
			}
		}
	}
}
