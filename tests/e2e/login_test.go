package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mcpproxy/tests/oauthserver"

	mcpclient "github.com/mark3labs/mcp-go/client"
)

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
	if c := m.server.Counters(); c.Authorize != 1 || c.TokenRefresh != 0 {
		t.Errorf("counted %+v", c)
	}
}
