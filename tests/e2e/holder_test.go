package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
)

// loginAlone begins a login without a proxy, and returns once its page is known.
func (m *machine) loginAlone() (login *exec.Cmd, said *output.Buffer) {
	m.Helper()
	login, said = m.command("mcpproxy", "auth", "login", "u", "--no-browser"), &output.Buffer{}
	login.Stderr = said
	if err := login.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = login.Process.Kill() })
	m.eventually("the page's address", func() bool { return page.MatchString(said.String()) })
	return login, said
}

// Whatever command holds the store, the others are served by it.
func TestALoginWithoutAProxyServesTheOthers(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	login, said := m.loginAlone()
	for _, c := range []struct {
		program string
		args    []string
		code    int
		words   string
	}{
		{"statectl", []string{"dump"}, 0, "AwaitingBrowser"},
		{"statectl", []string{"history", "u"}, 0, "BrowserShown"},
		{"mcpproxy", []string{"upstream", "list"}, 0, "Disconnected"},
		{"mcpproxy", []string{"auth", "status"}, 0, "Disconnected"},
		{"mcpproxy", []string{"auth", "cancel", "u"}, 0, "given up"},
	} {
		if code, out, errs := m.run(c.program, c.args...); code != c.code || !strings.Contains(out+errs, c.words) {
			t.Errorf("%s %v: exit code %d: %s%s", c.program, c.args, code, out, errs)
		}
	}
	done := make(chan error, 1)
	go func() { _ = login.Wait(); done <- nil }()
	within(m, "the login", done)
	if code := login.ProcessState.ExitCode(); code != 4 {
		t.Errorf("the login that was given up: exit code %d: %s", code, said)
	}
}

// A holder that was killed leaves the store and its open login to the next command.
func TestAKilledHolderIsInNobodysWay(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	login, said := m.loginAlone()
	_ = login.Process.Kill()
	_ = login.Wait()
	second, again := m.loginAlone()
	if before, now := page.FindString(said.String()), page.FindString(again.String()); before != now {
		t.Errorf("the page is now %s and was %s", now, before)
	}
	_ = second.Process.Kill()
	_ = second.Wait()
	m.login()
	m.start()
	m.awaitPhase("Connected")
}

// A proxy that a bridge started and that could not go on says why, in its own words and
// at once.
func TestABridgeSaysWhyThereIsNoProxy(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	if err := os.WriteFile(filepath.Join(m.dir, "store.db"), []byte("Dear Sir"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(filepath.Join(m.dir, "store.db")) })
	began := time.Now()
	code, _, errs := m.run("mcpproxy", "stdio")
	if code != 1 || !strings.Contains(errs, "the file is not a store of mcpproxy") || !strings.Contains(errs, "its log is") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

var page = regexp.MustCompile(`http://\S+/authorize\S+`)

// A login that is open while a proxy is started goes on at that proxy, whoever starts it,
// with the page that was shown.
func TestAnOpenLoginGoesOnAtTheProxyThatStarts(t *testing.T) {
	for _, starts := range []string{"serve", "stdio"} {
		t.Run(starts, func(t *testing.T) {
			m := newMachine(t, oauthserver.Options{AutoApprove: true})
			t.Cleanup(m.endStarted)
			login, said := m.loginAlone()
			if err := began[starts](m); err != nil {
				t.Fatal(err)
			}
			if who, err := m.who(); err != nil || who.Temporary || who.PID == login.Process.Pid {
				t.Fatalf("%+v serves the socket, %v", who, err)
			}
			m.awaitPhase("AwaitingBrowser")
			response, err := http.Get(page.FindString(said.String()))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			done := make(chan error, 1)
			go func() { done <- login.Wait() }()
			within(m, "the login", done)
			if n := strings.Count(said.String(), "Log in at:"); n != 1 {
				t.Errorf("the page was shown %d times: %s", n, said.String())
			}
			m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
		})
	}
}

// A bridge goes on at the next proxy: at one that a user starts, and after a kill at one
// that it starts itself; its client need not initialize again.
func TestABridgeGoesOnAtTheNextProxy(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	t.Cleanup(m.endStarted)
	b := m.bridge()
	if err := b.hello(); err != nil {
		t.Fatal(err)
	}
	first, err := m.who()
	if err != nil {
		t.Fatal(err)
	}
	m.start() // the bridge's gives way
	if err := b.ask("tools/call", `{"name":"u__echo","arguments":{"text":"hello"}}`); err != nil {
		t.Errorf("at the proxy of a user: %v", err)
	}
	m.eventually("the end of the bridge's proxy", func() bool { return syscall.Kill(first.PID, 0) != nil })
	m.kill()
	if err := b.ask("tools/list", "{}"); err != nil {
		t.Errorf("after a kill: %v", err)
	}
	if err := b.ask("tools/call", `{"name":"u__echo","arguments":{"text":"hello"}}`); err != nil {
		t.Errorf("at a proxy that it started: %v", err)
	}
	_ = b.in.Close()
	if err := b.command.Wait(); err != nil {
		t.Errorf("the bridge ended with %v: %s", err, b.errs.String())
	}
}
