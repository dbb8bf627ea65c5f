// Package e2e runs the real programs in real processes against the test
// authorization server, and counts what arrives there.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/admin"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// programs is where TestMain has built the programs under test.
var programs string

func TestMain(m *testing.M) {
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(m *testing.M) (code int, err error) {
	programs, err = os.MkdirTemp("", "mcpproxy-e2e-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(programs)) }()
	command := exec.Command("go", "build", "-o", programs+"/", "../../cmd/mcpproxy", "../../cmd/statectl", "./browser")
	if out, err := command.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building: %w: %s", err, out)
	}
	return m.Run(), nil
}

// machine is a person's machine: files, a configuration and perhaps a proxy.
type machine struct {
	*testing.T
	dir     string
	server  *oauthserver.Server
	serve   *exec.Cmd
	address string
}

func newMachine(t *testing.T, o oauthserver.Options) *machine {
	t.Parallel()
	server, err := oauthserver.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	// Sockets have short names.
	dir, err := os.MkdirTemp("", "e2e-")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{T: t, dir: dir, server: server}
	t.Cleanup(func() {
		m.kill()
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	config := fmt.Sprintf(`{"mcpServers": {"u": {"url": %q}}}`, server.MCPURL())
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machine) command(program string, args ...string) *exec.Cmd {
	flags := []string{"--store", filepath.Join(m.dir, "store.db")}
	if program == "mcpproxy" {
		flags = append(flags, "--config", filepath.Join(m.dir, "config.json"))
	}
	c := exec.Command(filepath.Join(programs, program), append(args, flags...)...)
	c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS=", "MCPPROXY_KEY_FILE="+filepath.Join(m.dir, "key"))
	return c
}

// run runs a command to its end and returns its exit code and output.
func (m *machine) run(program string, args ...string) (code int, stdout, stderr string) {
	c := m.command(program, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

func (m *machine) mustRun(program string, args ...string) string {
	m.Helper()
	code, out, errs := m.run(program, args...)
	if code != 0 {
		m.Fatalf("%s %v: exit code %d: %s", program, args, code, errs)
	}
	return out
}

var clientsAddress = regexp.MustCompile(`clients=(http://\S+/mcp)`)

// start starts a proxy and waits until it says where it serves.
func (m *machine) start(flags ...string) {
	m.Helper()
	m.serve = m.command("mcpproxy", append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
	log, err := m.serve.StderrPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := m.serve.Start(); err != nil {
		m.Fatal(err)
	}
	found := make(chan string, 1)
	go func() {
		var seen strings.Builder
		buffer := make([]byte, 4096)
		for {
			n, err := log.Read(buffer)
			if seen.Len() < 1<<20 {
				seen.Write(buffer[:n])
			}
			if match := clientsAddress.FindStringSubmatch(seen.String()); match != nil {
				select {
				case found <- match[1]:
				default:
				}
			}
			if err != nil {
				select {
				case found <- "":
				default:
				}
				return
			}
		}
	}()
	select {
	case m.address = <-found:
	case <-time.After(20 * time.Second):
	}
	if m.address == "" {
		m.Fatal("the proxy did not start")
	}
}

// kill is kill -9.
func (m *machine) kill() {
	if m.serve != nil {
		_ = m.serve.Process.Kill()
		_ = m.serve.Wait()
		m.serve = nil
	}
}

func (m *machine) browser() string { return filepath.Join(programs, "browser") }

// login logs in through the command line, with the test's browser.
func (m *machine) login() {
	m.Helper()
	m.mustRun("mcpproxy", "auth", "login", "u", "--browser", m.browser())
}

// call calls a tool through the proxy with a client that nobody here wrote.
func (m *machine) call() error {
	client, err := mcpclient.NewStreamableHttpClient(m.address)
	if err != nil {
		return err
	}
	return m.callBy(client)
}

func (m *machine) callBy(client *mcpclient.Client) error {
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := client.Start(ctx); err != nil {
		return err
	}
	if _, err := client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: "2025-11-25", ClientInfo: mcp.Implementation{Name: "e2e", Version: "1"}}}); err != nil {
		return err
	}
	result, err := client.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: "u__echo", Arguments: map[string]any{"text": "hello"}}})
	if err != nil {
		return err
	}
	if text, ok := result.Content[0].(mcp.TextContent); !ok || text.Text != "hello" {
		return fmt.Errorf("the tool answered %v", result.Content)
	}
	return nil
}

func TestRestartWithAnExpiredToken(t *testing.T) {
	for name, test := range map[string]struct {
		faults  []oauthserver.Fault
		refresh int
		works   bool
	}{
		"one refresh and no login":   {nil, 1, true},
		"503 twice, then one works":  {[]oauthserver.Fault{{Endpoint: "token", Kind: "status", Status: 503, Count: 2}}, 3, true},
		"invalid_grant asks a login": {[]oauthserver.Fault{{Endpoint: "token", Kind: "invalid-grant"}}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 2 * time.Second})
			m.start("--browser", m.browser())
			m.login()
			if err := m.call(); err != nil {
				t.Fatal(err)
			}
			m.kill()
			<-time.NewTimer(2500 * time.Millisecond).C // the token expires by the server's clock
			m.server.Reset()
			if err := m.server.SetFaults(test.faults...); err != nil {
				t.Fatal(err)
			}
			m.start()
			err := m.call()
			if (err == nil) != test.works {
				t.Fatalf("the call: %v", err)
			}
			if !test.works && !strings.Contains(err.Error(), "mcpproxy auth login u") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			c := m.server.Counters()
			if c.Authorize != 0 || c.RefreshReused != 0 || c.TokenRefresh != test.refresh {
				t.Errorf("counted %+v, want %d refresh requests", c, test.refresh)
			}
		})
	}
}

func TestFiveLoginsFromFiveProcesses(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	_ = m.server.SetFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "delay", Delay: 700})
	m.start("--browser", m.browser())
	var all sync.WaitGroup
	codes := make([]int, 5)
	for i := range codes {
		all.Go(func() { codes[i], _, _ = m.run("mcpproxy", "auth", "login", "u") })
	}
	all.Wait()
	if c := m.server.Counters(); c.Authorize != 1 || fmt.Sprint(codes) != "[0 0 0 0 0]" {
		t.Errorf("exit codes %v, counted %+v", codes, c)
	}
}

func TestSecondServeNamesTheFirst(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start()
	code, _, errs := m.run("mcpproxy", "serve", "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(errs, fmt.Sprintf("process %d", m.serve.Process.Pid)) {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

var authorizationURL = regexp.MustCompile(`(http://127\.0\.0\.1:\d+/authorize\?\S+)`)
var consentID = regexp.MustCompile(`name="id" value="([^"]+)"`)

func TestOpenLoginSurvivesKill(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	m.start("--no-browser")
	login := m.command("mcpproxy", "auth", "login", "u")
	said, err := login.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := login.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	buffer := make([]byte, 4096)
	for authorizationURL.FindString(text.String()) == "" {
		n, err := said.Read(buffer)
		text.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, text.String())
		}
	}
	page := m.get(authorizationURL.FindString(text.String()))
	m.kill()
	_, _ = io.Copy(io.Discard, said)
	_ = login.Wait()
	m.start("--no-browser")
	m.awaitPhase("AwaitingBrowser")
	response, err := http.PostForm(m.server.URL()+"/authorize", map[string][]string{"id": {consentID.FindStringSubmatch(page)[1]}, "decision": {"approve"}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	outcome, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || !strings.Contains(string(outcome), "Logged in to u") {
		t.Errorf("the browser shows %d: %s", response.StatusCode, outcome)
	}
	if err := m.call(); err != nil {
		t.Error(err)
	}
	if c := m.server.Counters(); c.Authorize != 1 {
		t.Errorf("counted %+v", c)
	}
}

func (m *machine) get(address string) string {
	m.Helper()
	response, err := http.Get(address)
	if err != nil {
		m.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		m.Fatal(err)
	}
	return string(text)
}

// awaitPhase asks the running proxy until the upstream is in the phase.
func (m *machine) awaitPhase(phase string) {
	m.Helper()
	deadline := time.After(15 * time.Second)
	poll := time.NewTicker(30 * time.Millisecond)
	defer poll.Stop()
	client := admin.NewClient(filepath.Join(m.dir, "mcpproxy.sock"))
	for {
		var status upstream.Status
		if err := client.Get(context.Background(), "/v1/upstreams/u", &status); err == nil && string(status.Phase) == phase {
			return
		}
		select {
		case <-poll.C:
		case <-deadline:
			m.Fatalf("not in %s but in %s", phase, status.Phase)
		}
	}
}

func TestStatectlShowsALiveAndAStoppedProxy(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	m.awaitPhase("Connected")
	var live []upstream.Status
	if err := json.Unmarshal([]byte(m.mustRun("statectl", "dump", "--json")), &live); err != nil || len(live) != 1 || live[0].Token == nil || !live[0].Token.HasRefreshToken {
		t.Errorf("%v: %+v", err, live)
	}
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "u: Connected") || strings.Contains(out, "at-") || strings.Contains(out, "rt-") {
		t.Error(out)
	}
	if out := m.mustRun("statectl", "history", "u"); !strings.Contains(out, "CodeExchanged") {
		t.Error(out)
	}
	m.kill()
	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "No proxy is running") || !strings.Contains(out, "generation 1") {
		t.Error(out)
	}
	if code, _, _ := m.run("mcpproxy", "auth", "status"); code != 6 {
		t.Errorf("auth status without a proxy: exit code %d, want 6", code)
	}
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
	if err := m.callBy(client); err != nil {
		t.Fatal(err)
	}
	if c := m.server.Counters(); c.Authorize != 1 || c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}

func TestBadConfigurationNamesThePlace(t *testing.T) {
	m := newMachine(t, oauthserver.Options{})
	if err := os.WriteFile(filepath.Join(m.dir, "config.json"), []byte(`{"mcpServers": {"a": {"url": "ftp://x"}, "b": {"urll": "http://x"}, "c": {"url": "http://x/${UNSET_HERE}", "oauth": {"login": "maybe"}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := m.run("mcpproxy", "config", "check")
	for _, want := range []string{"mcpServers.a.url", `unknown field "urll"`, "UNSET_HERE is not set", "mcpServers.c.oauth.login", "manual, automatic"} {
		if code != 1 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, and %q is missing in: %s", code, want, errs)
		}
	}
}
