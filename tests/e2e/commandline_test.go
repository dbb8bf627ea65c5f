package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mcpproxy/journal"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
)

// Each command's help says how it is used, with an example.
func TestEachCommandsHelpHasAnExample(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	for program, commands := range map[string][]string{
		"mcpproxy": {"", "serve", "stdio", "auth login", "auth status", "auth logout", "auth cancel", "upstream list", "upstream add", "upstream remove", "upstream connect",
			"upstream disconnect", "config check", "ui", "demo", "version"},
		"statectl": {"", "dump", "watch", "history", "replay", "audit", "stats", "graph", "fire", "wait"},
	} {
		for _, command := range commands {
			out := m.mustRun(program, append(strings.Fields(command), "--help")...)
			_, examples, found := strings.Cut(out, "Examples:\n")
			if !found || !strings.Contains(examples, program) || !strings.Contains(out, "Usage:\n  "+strings.TrimSpace(program+" "+command)) {
				t.Errorf("%s %s --help:\n%s", program, command, out)
			}
		}
	}
}

// Where nothing else is said, the store is in the user's own directory for data.
func TestTheStoreIsInTheUsersDirectory(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("the directory is another one there")
	}
	m := newMachine(t, oauthserver.Options{})
	c := exec.Command(filepath.Join(programs, "mcpproxy"), "serve", "--help")
	c.Env = append(os.Environ(), "XDG_DATA_HOME="+m.dir)
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), filepath.Join(m.dir, "mcpproxy", "store.db")) {
		t.Errorf("%v: %s", err, out)
	}
}

// Exit codes are stable; the text on standard error says what to do, and
// standard output stays for results.
func TestExitCodes(t *testing.T) {
	stopped := newMachine(t, oauthserver.Options{AutoApprove: true})
	t.Run("running", func(t *testing.T) {
		running := newSequentialMachine(t, oauthserver.Options{AutoApprove: true})
		running.start("--no-browser")
		running.awaitPhase("LoginRequired")
		running.exits(t, []exit{
			{[]string{"mcpproxy", "auth", "status"}, 4, "a login is needed"},
			{[]string{"mcpproxy", "auth", "status", "u"}, 4, "a login is needed"},
			{[]string{"mcpproxy", "auth", "status", "nobody"}, 2, "nobody"},
			{[]string{"mcpproxy", "auth", "cancel", "u"}, 7, "LoginCancelled"},
			{[]string{"statectl", "dump", "nobody"}, 2, "nobody"},
			{[]string{"statectl", "dump", "u"}, 0, ""},
			{[]string{"statectl", "history", "v"}, 2, "did you mean u?"},
			{[]string{"statectl", "stats", "u"}, 0, ""},
			{[]string{"statectl", "graph", "u"}, 0, ""},
			{[]string{"statectl", "wait", "u", "--for", "LoginRequired"}, 0, ""},
			{[]string{"statectl", "wait", "u", "--for", "Connected"}, 4, "mcpproxy auth login u"},
			{[]string{"statectl", "wait", "u", "--for", "Conected"}, 2, "did you mean Connected"},
			{[]string{"statectl", "wait", "u", "--for", "Connected", "--patient", "--timeout", "100ms"}, 3, "u is LoginRequired, not Connected"},
			{[]string{"statectl", "fire", "u", "retry"}, 7, "RetryRequested"},
			{[]string{"mcpproxy", "serve", "--lisen", "x"}, 2, "did you mean --listen?"},
			{[]string{"statectl", "fire", "u", "CodeReceived"}, 2, "connect, disconnect, login, logout, retry"},
			{[]string{"statectl", "fire", "u", "disconnect"}, 0, ""},
			{[]string{"mcpproxy", "serve", "--listen", "127.0.0.1:0"}, 1, fmt.Sprint("process ", running.serve.Process.Pid)},
		})
	})
	stopped.exits(t, []exit{
		{[]string{"mcpproxy", "version"}, 0, ""},
		{[]string{"mcpproxy", "config", "check"}, 0, ""},
		{[]string{"mcpproxy", "nonsense"}, 2, `"nonsense"`},
		{[]string{"mcpproxy", "auth", "nonsense"}, 2, "mcpproxy auth --help"},
		{[]string{"mcpproxy", "auth", "login"}, 2, "UPSTREAM"},
		{[]string{"mcpproxy", "auth", "login", "nobody"}, 2, "there are: u"},
		{[]string{"mcpproxy", "serve", "--bogus"}, 2, "mcpproxy serve --help"},
		{[]string{"mcpproxy", "serve", "--listen", "0.0.0.0:0"}, 1, "token"},
		{[]string{"mcpproxy", "upstream", "add", "x", "sh", "-c", "true"}, 2, "a command and its flags stand behind --"},
		{[]string{"mcpproxy", "auth", "status"}, 6, "mcpproxy serve"},
		{[]string{"mcpproxy", "upstream", "connect", "u"}, 6, "mcpproxy serve"},
		{[]string{"mcpproxy", "ui"}, 6, "mcpproxy serve"},
		{[]string{"statectl", "nonsense"}, 2, `"nonsense"`},
		{[]string{"statectl", "history"}, 2, "statectl history --help"},
		{[]string{"statectl", "graph", "--format", "png"}, 2, "mermaid"},
		{[]string{"statectl", "dump"}, 6, "store.db"},
		{[]string{"statectl", "audit"}, 6, "store.db"},
		{[]string{"statectl", "audit", "../../cmd/statectl/main.go"}, 2, "entry 1"},
		{[]string{"statectl", "audit", "testdata/journal.jsonl"}, 0, ""},
		{[]string{"statectl", "audit", "testdata/doctored.jsonl"}, 1, "a promise was broken"},
		{[]string{"statectl", "replay"}, 6, "store.db"},
		{[]string{"statectl", "replay", "../../cmd/statectl/main.go"}, 1, "entry 1"},
		{[]string{"statectl", "replay", "testdata/journal.jsonl"}, 0, ""},
		{[]string{"statectl", "replay", "testdata/doctored.jsonl"}, 7, "not explained by the graph"},
		{[]string{"statectl", "stats"}, 6, "mcpproxy serve"},
		{[]string{"statectl", "fire", "u", "connect"}, 6, "mcpproxy serve"},
		{[]string{"statectl", "watch"}, 6, "mcpproxy serve"},
		{[]string{"statectl", "wait", "u", "--for", "Connected"}, 6, "--patient"},
	})
}

type exit struct {
	command []string
	code    int
	says    string
}

func (m *machine) exits(t *testing.T, all []exit) {
	for _, test := range all {
		code, out, errs := m.run(test.command[0], test.command[1:]...)
		if code != test.code || !strings.Contains(errs, test.says) {
			t.Errorf("%v: exit code %d, want %d with %q: %s%s", test.command, code, test.code, test.says, out, errs)
		}
		if code == 0 && (out == "" || errs != "") {
			t.Errorf("%v: %q on standard output, %q on standard error", test.command, out, errs)
		}
	}
}

// A name that is mistyped in another program's configuration is said on standard error,
// and an upstream without a process has no log (fault I7).
func TestWhatIsNotThereIsSaid(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.start()
	for says, command := range map[string][]string{
		`"v": there is no such upstream; did you mean u?; there are: u`: {"stdio", "--upstream", "v"},
		"no child process of u was started":                             {"upstream", "logs", "u"},
	} {
		if code, out, errs := m.run("mcpproxy", command...); code != 0 || out != "" || !strings.Contains(errs, says) {
			t.Errorf("%v: exit code %d, %q, %q", command, code, out, errs)
		}
	}
}

// A token that no client could send is said at the start (fault I3).
func TestATokenThatNoClientCouldSend(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	file := filepath.Join(m.dir, "token")
	for _, text := range []string{"sixteen characters\n", "sixteencharacters\nsixteencharacters",
		"\xff\xfes\x00i\x00x\x00t\x00e\x00e\x00n\x00c\x00h\x00", "s\u00ebchzehnbuchstaben"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := m.run("mcpproxy", "serve", "--listen", "127.0.0.1:0", "--token-file", file); code != 1 ||
			!strings.Contains(errs, "no client could send it") {
			t.Errorf("%q: exit code %d, %s", text, code, errs)
		}
	}
}

// What --json prints is one document for programs, on a live proxy and, where
// the command can, on a stopped one.
func TestJSONOutputs(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	m.awaitPhase("Connected")
	for _, command := range [][]string{{"mcpproxy", "auth", "status", "--json"}, {"mcpproxy", "auth", "status", "u", "--json"},
		{"mcpproxy", "upstream", "list", "--json"}, {"statectl", "dump", "--json"}, {"statectl", "dump", "u", "--json"}} {
		var all []status.Upstream
		decodeStrictly(t, m.mustRun(command[0], command[1:]...), &all)
		if len(all) != 1 || all[0].Name != "u" || all[0].Phase != "Connected" || all[0].Token == nil || !all[0].Token.HasRefreshToken ||
			all[0].Tools != 4 || len(all[0].Regions) != 2 {
			t.Errorf("%v: %+v", command, all)
		}
	}
	var live, stopped []journal.Line
	m.eventually("the whole history", func() bool {
		live = nil
		decodeStrictly(t, m.mustRun("statectl", "history", "u", "--json"), &live)
		return len(live) > 0 && live[len(live)-1].Event == "Handshaken"
	})
	m.kill()
	decodeStrictly(t, m.mustRun("statectl", "history", "u", "--json"), &stopped)
	if len(stopped) != len(live) {
		t.Errorf("%d entries of a stopped proxy, %d of the live one", len(stopped), len(live))
	}
	var stored []struct {
		Name       string        `json:"name"`
		Running    bool          `json:"running"`
		Generation uint64        `json:"generation"`
		Token      *status.Token `json:"token"`
		Flow       string        `json:"open_flow"`
		LoggedOut  *time.Time    `json:"logged_out"`
		Uncertain  bool          `json:"refresh_without_outcome"`
	}
	decodeStrictly(t, m.mustRun("statectl", "dump", "--json"), &stored)
	if len(stored) != 1 || stored[0].Running || stored[0].Generation != 1 || stored[0].Token == nil || stored[0].Uncertain {
		t.Errorf("%+v", stored)
	}
}

func decodeStrictly(t *testing.T, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || decoder.More() {
		t.Fatalf("%v in %s", err, text)
	}
}

func TestStatectlShowsALiveAndAStoppedProxy(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	m.awaitPhase("Connected")
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "u: Connected") || !strings.Contains(out, "accepts") ||
		!strings.Contains(out, "mcpproxy auth logout u") {
		t.Error(out)
	}
	m.eventually("the history to be written", func() bool {
		return strings.Contains(m.mustRun("statectl", "history", "u"), "CodeExchanged")
	})
	m.kill()
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "No proxy is running") || !strings.Contains(out, "generation 1") ||
		!strings.Contains(out, "refresh token: true") {
		t.Error(out)
	}
	m.mustRun("mcpproxy", "auth", "logout", "u")
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "logged out at") {
		t.Error(out)
	}
}

// Shells complete the upstreams' names, from the running proxy or without one.
func TestUpstreamNamesAreCompleted(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	completes := func(want string, programs ...string) {
		t.Helper()
		for _, program := range programs {
			commands := []string{"auth login", "auth logout", "auth status", "auth cancel", "upstream connect", "upstream disconnect",
				"upstream remove"}
			if program == "statectl" {
				commands = []string{"dump", "watch", "history", "stats", "graph", "fire", "wait"}
			}
			for _, command := range commands {
				// Flags come before the word that is completed.
				out := m.complete(program, strings.Fields(command)...)
				if got, _, _ := strings.Cut(out, ":"); strings.TrimSpace(got) != want {
					t.Errorf("%s %s completes %q, want %q", program, command, got, want)
				}
			}
		}
	}
	completes("u", "mcpproxy")
	m.start("--no-browser")
	m.awaitPhase("LoginRequired")
	completes("u\tLoginRequired", "mcpproxy", "statectl")
	m.kill()
	m.login()
	completes("u", "mcpproxy", "statectl")
}

func (m *machine) complete(program string, command ...string) string {
	m.Helper()
	c := m.command(program)
	c.Args = slices.Concat(c.Args[:1], []string{"__complete"}, command, c.Args[1:], []string{""})
	out, err := c.Output()
	if err != nil {
		m.Fatal(err)
	}
	return string(out)
}

// Where nobody answers there is nothing to log in to: that is another exit code than
// that of a login that a user did not complete, with and without a running proxy.
func TestNobodyAnswersALogin(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.configure(`{"mcpServers": {"u": {"url": "http://127.0.0.1:1/mcp"}}}`)
	for range 2 {
		if code, out, errs := m.run("mcpproxy", "auth", "login", "u", "--no-browser"); code != 5 || out != "" ||
			!strings.HasPrefix(errs, "mcpproxy: u: not logged in") || !strings.Contains(errs, "127.0.0.1:1") {
			t.Errorf("exit code %d: %s%s", code, out, errs)
		}
		if m.serve == nil {
			m.start("--no-browser")
		}
	}
}

// An upstream that was removed, or is disabled, is shown as long as its token is in the store, and
// logged out of, by the running proxy and on the store of a stopped one.
func TestInactiveUpstreamsAreLoggedOutOf(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	loggedOut := func() {
		t.Helper()
		m.server.Reset()
		m.exits(t, []exit{
			{[]string{"mcpproxy", "auth", "logout", "nobody"}, 2, "nobody"},
			{[]string{"mcpproxy", "auth", "logout", "u"}, 0, ""},
		})
		if c := m.server.Counters(); c.Revoke != 2 {
			t.Errorf("%d revocations, want 2", c.Revoke)
		}
	}
	m.start("--browser", m.browser())
	m.login()
	if out := m.mustRun("mcpproxy", "upstream", "remove", "u"); !strings.Contains(out, "mcpproxy auth logout u") {
		t.Error(out)
	}
	var all []status.Upstream
	m.eventually("the upstream to be removed", func() bool {
		all = nil
		decodeStrictly(t, m.mustRun("mcpproxy", "auth", "status", "u", "--json"), &all)
		return len(all) == 1 && all[0].Phase == status.PhaseInactive
	})
	if all[0].Token == nil || all[0].Actions[0].Command != "mcpproxy auth logout u" {
		t.Errorf("%+v", all)
	}
	if out := m.complete("mcpproxy", "auth", "logout"); !strings.HasPrefix(out, "u\tInactive\n") {
		t.Errorf("completions: %q", out)
	}
	loggedOut()
	m.mustRun("mcpproxy", "upstream", "add", "u", m.server.MCPURL())
	m.awaitPhase("LoggedOut")
	m.login()
	m.kill()
	m.configure(fmt.Sprintf(`{"mcpServers": {"u": {"url": %q, "disabled": true}}}`, m.server.MCPURL()))
	loggedOut()
}

// The first thing that users run.
func TestTheDemo(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(filepath.Join(programs, "mcpproxy"), "demo").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "== Summary: 26 calls, none failed; 1 authorization request, ") ||
		!strings.Contains(string(out), "0 refresh tokens used twice") {
		t.Errorf("%v: %s", err, out)
	}
}
