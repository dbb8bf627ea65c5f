package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"

	mcpclient "github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
)

// machine is a user's machine: files, a configuration and perhaps a proxy.
type machine struct {
	*testing.T
	dir     string
	server  *oauthserver.Server
	serve   *exec.Cmd
	address string
	// environment is added to that of each command.
	environment []string
	// logs is what the proxies of this machine said, of every start.
	logs output.Buffer
}

func newMachine(t *testing.T, o oauthserver.Options) *machine {
	t.Parallel()
	return newSequentialMachine(t, o)
}

// newSequentialMachine is for a test that has another machine already.
func newSequentialMachine(t *testing.T, o oauthserver.Options) *machine {
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
		m.replay()
		_ = server.Close()
		_ = os.RemoveAll(dir)
	})
	m.configure(fmt.Sprintf(`{"mcpServers": {"u": {"url": %q}}}`, server.MCPURL()))
	return m
}

// configure writes the configuration file.
func (m *machine) configure(text string) {
	m.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "config.json"), []byte(text), 0o600); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) command(program string, args ...string) *exec.Cmd {
	flags := []string{"--store", filepath.Join(m.dir, "store.db")}
	if program == "mcpproxy" {
		flags = append(flags, "--config", filepath.Join(m.dir, "config.json"))
	}
	c := exec.Command(filepath.Join(programs, program), append(args, flags...)...)
	c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS=", "MCPPROXY_KEY_FILE="+filepath.Join(m.dir, "key"))
	c.Env = append(c.Env, m.environment...)
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
	said := len(m.logs.String())
	m.serve = m.command("mcpproxy", append([]string{"serve", "--listen", "127.0.0.1:0"}, flags...)...)
	m.serve.Stderr = &m.logs
	if err := m.serve.Start(); err != nil {
		m.Fatal(err)
	}
	m.eventually("the proxy to say where it serves", func() bool {
		match := clientsAddress.FindStringSubmatch(m.logs.String()[said:])
		if match != nil {
			m.address = match[1]
		}
		return match != nil
	})
}

// eventually asks until it is so.
func (m *machine) eventually(what string, so func() bool) {
	m.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(20 * time.Second); !so(); {
		select {
		case <-poll.C:
		case <-deadline:
			m.Fatalf("waited without success for %s; the log ends with %s", what, last(m.logs.String(), 2000))
		}
	}
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

// loginFor logs in with an access token that lives so many seconds.
func (m *machine) loginFor(seconds int) {
	m.Helper()
	m.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "ttl", TTL: seconds, Grant: "authorization_code", Count: 1})
	m.login()
}

func (m *machine) setFaults(faults ...oauthserver.Fault) {
	m.Helper()
	if err := m.server.SetFaults(faults...); err != nil {
		m.Fatal(err)
	}
}

// want is the counters that a case must end with.
type want struct{ Authorize, Code, Refresh, Reused, Register int }

func (m *machine) wantCounts(w want) {
	m.Helper()
	c := m.server.Counters()
	if got := (want{c.Authorize, c.TokenCode, c.TokenRefresh, c.RefreshReused, c.Register}); got != w {
		m.Errorf("the authorization server counted %+v, want %+v", got, w)
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

// replay has the journals of the stopped proxy explained by the graph and audited.
func (m *machine) replay() {
	m.Helper()
	if _, err := os.Stat(filepath.Join(m.dir, "store.db")); err != nil {
		return // no proxy ever ran
	}
	for _, command := range []string{"replay", "audit"} {
		if code, out, errs := m.run("statectl", command); code != 0 {
			m.Errorf("statectl %s: exit code %d: %s%s", command, code, out, errs)
		}
	}
}

func (m *machine) browser() string { return filepath.Join(programs, "browser") }

// login logs in through the command line, with the test's browser.
func (m *machine) login() {
	m.Helper()
	m.mustRun("mcpproxy", "auth", "login", "u", "--browser", m.browser())
}

// call calls a tool through the proxy with a client that nobody here wrote.
func (m *machine) call() error { return callAt(m.address) }

func callAt(address string) error {
	client, err := mcpclient.NewStreamableHttpClient(address)
	if err != nil {
		return err
	}
	return callBy(client)
}

func callBy(client *mcpclient.Client) error {
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := initialize(ctx, client); err != nil {
		return err
	}
	return echo(ctx, client)
}

func initialize(ctx context.Context, client *mcpclient.Client) error {
	if err := client.Start(ctx); err != nil {
		return err
	}
	_, err := client.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{ProtocolVersion: "2025-11-25",
		ClientInfo: mcp.Implementation{Name: "e2e", Version: "1"}}})
	return err
}

func echo(ctx context.Context, client *mcpclient.Client) error {
	result, err := client.CallTool(ctx, mcp.CallToolRequest{Params: mcp.CallToolParams{Name: "u__echo",
		Arguments: map[string]any{"text": "hello"}}})
	if err != nil {
		return err
	}
	if text, ok := result.Content[0].(mcp.TextContent); !ok || text.Text != "hello" {
		return fmt.Errorf("the tool answered %v", result.Content)
	}
	return nil
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
	m.awaitStatus("the phase "+phase, func(s *status.Upstream) bool { return string(s.Phase) == phase })
}

func (m *machine) awaitStatus(what string, so func(*status.Upstream) bool) {
	m.Helper()
	client := client.New(filepath.Join(m.dir, "mcpproxy.sock"))
	m.eventually(what, func() bool {
		var status status.Upstream
		err := client.Get(context.Background(), "/v1/upstreams/u", &status)
		return err == nil && so(&status)
	})
}
