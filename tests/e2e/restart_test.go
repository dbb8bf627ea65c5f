package e2e

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

// Log in once, let the access token expire, kill -9 the proxy, start it.
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
			m := newMachine(t, oauthserver.Options{AutoApprove: true})
			m.start("--browser", m.browser())
			m.loginFor(3)
			if err := m.call(); err != nil {
				t.Fatal(err)
			}
			m.kill()
			<-time.NewTimer(3200 * time.Millisecond).C // the token expires by the server's clock
			m.server.Reset()
			m.setFaults(test.faults...)
			m.start()
			err := m.call()
			if (err == nil) != test.works {
				t.Fatalf("the call: %v", err)
			}
			if !test.works && !strings.Contains(err.Error(), "mcpproxy auth login u") {
				t.Errorf("the error does not say what to do: %v", err)
			}
			_ = m.call() // asks for nothing more
			m.wantCounts(want{Refresh: test.refresh})
		})
	}
}

// Killed between the authorization server's rotation and our write: the next
// start knows it and says so, uses the access token while it works, sends the
// old refresh token once, and ends in one login.
func TestKillBetweenRotationAndWrite(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.start("--browser", m.browser())
	m.login()
	if err := m.call(); err != nil {
		t.Fatal(err)
	}
	m.server.Reset()
	m.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "hold-after", Count: 1})
	m.server.RevokeAccess()
	var caller sync.WaitGroup
	address := m.address
	caller.Go(func() { _ = callAt(address) }) // dies with the proxy
	m.eventually("the refresh to arrive", func() bool { return m.server.Counters().TokenRefresh == 1 })
	m.kill()
	caller.Wait()

	if out := m.mustRun("statectl", "dump"); !strings.Contains(out, "a refresh without a known outcome") {
		t.Errorf("the store of the stopped proxy says %s", out)
	}
	m.start("--browser", m.browser())
	if err := m.call(); err == nil || !strings.Contains(err.Error(), "mcpproxy auth login u") {
		t.Errorf("the call: %v", err)
	}
	m.eventually("the history to say what happened", func() bool {
		out := m.mustRun("statectl", "history", "u")
		return strings.Contains(out, "TokenUncertain") && strings.Contains(out, "answer never arrived")
	})
	if out := m.mustRun("statectl", "dump", "u"); !strings.Contains(out, "RotationLost") {
		t.Error(out)
	}
	m.wantCounts(want{Refresh: 2, Reused: 1})
	m.login()
	if err := m.call(); err != nil {
		t.Error(err)
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Refresh: 2, Reused: 1})
}

// The upstream is down when the proxy starts: a call waits, and is served when
// the upstream has come up, without anybody doing anything.
func TestUpstreamComesUpLater(t *testing.T) {
	m := newMachine(t, oauthserver.Options{NoAuth: true})
	m.restartServer(oauthserver.Options{NoAuth: true}, func() {
		m.start()
		m.awaitPhase("BackingOff")
	})
	if err := m.call(); err != nil {
		t.Error(err)
	}
	if c := m.server.Counters(); c.MCP["tools/call"] != 1 {
		t.Errorf("counted %+v", c)
	}
	m.wantCounts(want{})
}

// The same with a login to be made: it is asked for once the upstream is there.
func TestProtectedUpstreamComesUpLater(t *testing.T) {
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	m.restartServer(oauthserver.Options{AutoApprove: true}, func() {
		m.start("--browser", m.browser())
		m.awaitPhase("BackingOff")
	})
	m.awaitPhase("LoginRequired")
	m.login()
	if err := m.call(); err != nil {
		t.Error(err)
	}
	m.wantCounts(want{Authorize: 1, Code: 1, Register: 1})
}

// restartServer stops the server, does what is to be done without it, and
// starts one at the same address.
func (m *machine) restartServer(o oauthserver.Options, without func()) {
	m.Helper()
	at, err := url.Parse(m.server.URL())
	if err != nil {
		m.Fatal(err)
	}
	if o.Port, err = strconv.Atoi(at.Port()); err != nil {
		m.Fatal(err)
	}
	if err := m.server.Close(); err != nil {
		m.Fatal(err)
	}
	without()
	server, err := oauthserver.Start(context.Background(), o)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = server.Close() })
	m.server = server
}
