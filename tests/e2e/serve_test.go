package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"

	mcpclient "github.com/mark3labs/mcp-go/client"
)

func TestSecondServeNamesTheFirst(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start()
	code, out, errs := m.run("mcpproxy", "serve", "--listen", "127.0.0.1:0")
	if code != 1 || out != "" || !strings.Contains(errs, fmt.Sprintf("process %d", m.serve.Process.Pid)) {
		t.Errorf("exit code %d: %s", code, errs)
	}
	m.awaitPhase("LoginRequired") // the first one goes on
}

// The same with the first one's address, which is met before its store is; an
// address that another program has is said too.
func TestSecondServeAtTheSameAddress(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start()
	at, err := url.Parse(m.address)
	if err != nil {
		t.Fatal(err)
	}
	code, _, errs := m.run("mcpproxy", "serve", "--listen", at.Host)
	if code != 1 || !strings.Contains(errs, fmt.Sprintf("process %d", m.serve.Process.Pid)) {
		t.Errorf("exit code %d: %s", code, errs)
	}
	m.kill()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	code, _, errs = m.run("mcpproxy", "serve", "--listen", taken.Addr().String())
	if code != 1 || !strings.Contains(errs, "another program listens on "+taken.Addr().String()) || !strings.Contains(errs, "--listen") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

// Tokens that live 8 s under steady calls: none fails, each is renewed once and
// ahead of its expiry.
func TestSteadyCallsOnEightSecondTokens(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true, AccessTokenTTL: 8 * time.Second})
	m.start("--browser", m.browser())
	m.login()
	client, err := mcpclient.NewStreamableHttpClient(m.address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := initialize(ctx, client); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	calls := 0
	for end := time.After(15 * time.Second); ; calls++ {
		if err := echo(ctx, client); err != nil {
			t.Fatalf("call %d: %v", calls, err)
		}
		select {
		case <-tick.C:
			continue
		case <-end:
		}
		break
	}
	if c := m.server.Counters(); c.MCP["tools/call"] != calls+1 || c.Unauthorized != 1 {
		t.Errorf("%d calls, counted %+v", calls+1, c) // the 401 is the one that asked for the login
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Refresh: 2, Register: 1})
}
