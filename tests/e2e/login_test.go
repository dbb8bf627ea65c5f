package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"

	mcpclient "github.com/mark3labs/mcp-go/client"
)

// Five `auth login` at once from five processes: one tab, one outcome, and each
// command returns when it is there.
func TestFiveLoginsFromFiveProcesses(t *testing.T) {
	for name, test := range map[string]struct {
		faults []oauthserver.Fault
		code   int
		said   string
		want   want
	}{
		"consent": {[]oauthserver.Fault{{Endpoint: "authorize", Kind: "delay", Delay: 1500}}, 0, "logged in to u\n", want{Authorize: 1, Code: 1, Register: 1}},
		"denial": {[]oauthserver.Fault{{Endpoint: "register", Kind: "delay", Delay: 1500}, {Endpoint: "authorize", Kind: "denied"}}, 4, "",
			want{Authorize: 1, Register: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, oauthserver.Options{AutoApprove: true})
			m.start("--browser", m.browser())
			m.awaitPhase("LoginRequired")
			m.setFaults(test.faults...)
			var all sync.WaitGroup
			codes, said, errs := make([]int, 5), make([]string, 5), make([]string, 5)
			for i := range codes {
				all.Go(func() { codes[i], said[i], errs[i] = m.run("mcpproxy", "auth", "login", "u") })
			}
			all.Wait()
			for i := range codes {
				if codes[i] != test.code || said[i] != test.said {
					t.Errorf("login %d: exit code %d, %q, %s", i, codes[i], said[i], errs[i])
				}
			}
			m.wantCounts(test.want)
		})
	}
}

var (
	authorizationURL = regexp.MustCompile(`(http://127\.0\.0\.1:\d+/authorize\?\S+)`)
	consentID        = regexp.MustCompile(`name="id" value="([^"]+)"`)
)

// openLogin runs `auth login` until it has said which page to open.
func (m *machine) openLogin(args ...string) (login *exec.Cmd, page string, typed io.WriteCloser, said *output.Buffer) {
	m.Helper()
	login = m.command("mcpproxy", append([]string{"auth", "login", "u"}, args...)...)
	typed, err := login.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	said = &output.Buffer{}
	login.Stdout, login.Stderr = said, said
	if err := login.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		if login.ProcessState == nil {
			_ = login.Process.Kill()
			_ = login.Wait()
		}
	})
	m.eventually("the login's page", func() bool {
		page = authorizationURL.FindString(said.String())
		return page != "" && strings.Contains(said.String(), "Waiting until")
	})
	return login, page, typed, said
}

// The browser is open when the proxy is killed: the user goes on in it after
// the next start.
func TestOpenLoginSurvivesKill(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.start("--no-browser")
	login, address, _, said := m.openLogin()
	page := m.get(address)
	m.kill()
	m.start("--no-browser")
	// it listens by then
	m.awaitStatus("the page to be offered again", func(s *status.Upstream) bool { return s.Flow != nil && s.Flow.ShownText != "" })
	response, err := http.PostForm(m.server.URL()+"/authorize",
		map[string][]string{"id": {consentID.FindStringSubmatch(page)[1]}, "decision": {"approve"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	outcome, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || !strings.Contains(string(outcome), "Logged in to u") {
		t.Errorf("the browser shows %d: %s", response.StatusCode, outcome)
	}
	if err := login.Wait(); err != nil { // it went on at the next proxy
		t.Errorf("the login's command: %v: %s", err, said)
	}
	if err := m.call(); err != nil {
		t.Error(err)
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// The browser that the command line names opens the page, also where a proxy runs that
// has been told to open none.
func TestTheCommandsOwnBrowserOpensThePage(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--no-browser")
	code, out, errs := m.run("mcpproxy", "auth", "login", "u", "--browser", m.browser())
	if code != 0 || out != "logged in to u\n" || strings.Count(errs, "The page was opened in the browser.") != 1 {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// A login that is left with an interrupt stays open, and the command says until when and
// how it is given up.
func TestALoginThatIsLeftStaysOpen(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.start("--no-browser")
	login, _, _, said := m.openLogin()
	if err := login.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := login.Wait(); err == nil || login.ProcessState.ExitCode() != 1 ||
		!strings.Contains(said.String(), "u: the login stays open and its page can be completed until") ||
		!strings.Contains(said.String(), "mcpproxy auth cancel u") {
		t.Errorf("%v: %s", err, said)
	}
	m.awaitPhase("AwaitingBrowser")
}

// The browser is on another machine: the address that it ends on is pasted into
// the command, with and without a running proxy. What is no such address is said
// and changes nothing.
func TestPastedAddressCompletesTheLogin(t *testing.T) {
	for name, running := range map[string]bool{"with a proxy": true, "without a proxy": false} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, oauthserver.Options{AutoApprove: true})
			if running {
				m.start("--no-browser")
			}
			login, page, typed, said := m.openLogin("--no-browser")
			elsewhere := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			response, err := elsewhere.Get(page)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			fmt.Fprintln(typed, "http://127.0.0.1:1/callback?code=x&state=wrong")
			m.eventually("the wrong address to be refused", func() bool { return strings.Contains(said.String(), "not taken: ") })
			fmt.Fprintln(typed, response.Header.Get("Location"))
			if err := login.Wait(); err != nil || !strings.Contains(said.String(), "logged in to u") {
				t.Fatalf("%v: %s", err, said.String())
			}
			m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
		})
	}
}

// Asked for a second time with the login open, the command shows the same page. The
// proxy opens no browser for a user who asked for none.
func TestOpenLoginIsShownAgainWithoutABrowser(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	first, page, _, _ := m.openLogin("--no-browser")
	second, again, typed, said := m.openLogin("--no-browser")
	if page != again {
		t.Errorf("first %s, then %s", page, again)
	}
	elsewhere := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := elsewhere.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	fmt.Fprintln(typed, response.Header.Get("Location"))
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Errorf("%v: %s", err, said.String())
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Register: 1}) // the one request is this test's
}

func TestLoginWithoutAProxyAndStdioBridge(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.login()
	m.start()
	bridge := m.command("mcpproxy", "stdio")
	client, err := mcpclient.NewStdioMCPClient(bridge.Path, bridge.Env, bridge.Args[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	if err := callBy(client); err != nil {
		t.Fatal(err)
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// What is piped into the bridge is answered, though the input ends at once and the
// answer takes its time; the bridge ends with the last answer.
func TestPipedRequestsAreAnswered(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.start()
	m.awaitPhase("Connected")
	bridge := m.command("mcpproxy", "stdio")
	bridge.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u__slow","arguments":{"milliseconds":300}}}`)
	out, err := bridge.Output()
	var answer struct{ Result json.RawMessage }
	if err != nil || json.Unmarshal(out, &answer) != nil || answer.Result == nil {
		t.Errorf("%v: %q", err, out)
	}
}

// A logout holds over kill -9, and with no proxy running too.
func TestLogoutHoldsOverAKill(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	m.mustRun("mcpproxy", "auth", "logout", "u")
	m.kill()
	m.server.Reset()
	m.start()
	m.awaitPhase("LoggedOut")
	if err := m.call(); err == nil || !strings.Contains(err.Error(), "mcpproxy auth login u") {
		t.Errorf("the call: %v", err)
	}
	if c := m.server.Counters(); len(c.MCP) != 0 {
		t.Errorf("after the logout something was sent: %+v", c)
	}
	m.wantCounts(want{})
	m.kill()
	m.login()
	m.mustRun("mcpproxy", "auth", "logout", "u")
	if c := m.server.Counters(); c.Revoke != 2 {
		t.Errorf("counted %+v", c)
	}
}

// A logout that the authorization server does not confirm says so and what may be good
// there, by its exit code too, with and without a proxy; the logout holds (fault E8).
func TestLogoutThatIsHalfDone(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	half := func() {
		t.Helper()
		m.setFaults(oauthserver.Fault{Endpoint: "revoke", Kind: "status", Status: 404})
		code, out, errs := m.run("mcpproxy", "auth", "logout", "u")
		if code != 8 || !strings.Contains(errs, "logged out of u here, but the refresh token and the access token (until ") || out != "" {
			t.Errorf("exit code %d, %q on standard output, %q on standard error", code, out, errs)
		}
		m.setFaults()
	}
	m.login()
	half()
	m.start("--browser", m.browser())
	m.awaitPhase("LoggedOut")
	m.login()
	half()
	m.awaitPhase("LoggedOut")
	if _, said, _ := m.run("statectl", "explain", "u"); !strings.Contains(said, "the refresh token") {
		t.Errorf("explain says %s", said)
	}
	m.login()
	m.mustRun("mcpproxy", "auth", "logout", "u")
}

// A login may register a client of its own, with and without a proxy (fault E2).
func TestLoginThatRegisters(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.mustRun("mcpproxy", "auth", "login", "u", "--browser", m.browser(), "--register")
	m.start("--browser", m.browser())
	m.mustRun("mcpproxy", "auth", "login", "u", "--register")
	m.mustRun("mcpproxy", "auth", "login", "u")
	m.wantCounts(want{Authorize: 3, Code: 3, Register: 2})
}
