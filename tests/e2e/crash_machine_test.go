package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/jsonrpc"
	"mcpproxy/store"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"
)

// crash is a machine whose proxy is killed again and again.
type crash struct {
	*machine
	ledger  *ledger
	figures *crashFigures
	plan    plan
	proxy   *proxyProcess
	// disk is what the last killed proxy has left.
	disk         store.Credential
	acknowledged acknowledged
	// browser is where the user's browser stands: the address that it is to be sent
	// back to, or empty.
	browser string
}

// acknowledged is what a user was told before the kill.
type acknowledged struct{ loggedIn, loggedOut bool }

// proxyProcess is one life of the proxy.
type proxyProcess struct {
	command *exec.Cmd
	logs    *output.Buffer
	ended   chan struct{}
	control *client.Client
	address string
}

func newCrash(t *testing.T, figures *crashFigures) *crash {
	l := &ledger{}
	m := newSequentialMachine(t, oauthserver.Options{AutoApprove: true, Front: l.front, ConnContext: l.tag})
	c := &crash{machine: m, ledger: l, figures: figures}
	t.Cleanup(c.die)
	return c
}

func (c *crash) path() string { return filepath.Join(c.dir, "store.db") }

// complain is a violation, with the plan that shows it.
func (c *crash) complain(format string, args ...any) {
	c.Helper()
	c.Errorf("%s: %s; the store: %s", c.plan, fmt.Sprintf(format, args...), describe(c.disk))
}

func describe(d store.Credential) string {
	refresh := d.Token != nil && d.Token.HasRefresh()
	return fmt.Sprintf("generation %d, token %t, refresh token %t, flow %t, intent %t, logout %t", d.Generation, d.Token != nil, refresh,
		d.Flow != nil, d.Intent != nil, d.Logout != nil)
}

// launch starts the program that has failpoints.
func (c *crash) launch(failpoint string) {
	c.Helper()
	command := c.command("mcpproxy", "serve", "--listen", "127.0.0.1:0", "--no-browser")
	command.Path = filepath.Join(programs, "failing", "mcpproxy")
	command.Env = append(command.Env, "MCPPROXY_FAILPOINT="+failpoint)
	p := &proxyProcess{command: command, logs: &output.Buffer{}, ended: make(chan struct{}),
		control: client.New(filepath.Join(c.dir, "mcpproxy.sock"))}
	command.Stderr = p.logs
	if err := command.Start(); err != nil {
		c.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = command.Wait() // it was killed
	}()
	c.proxy = p
}

// awaitServing reports whether the proxy lived until it served.
func (c *crash) awaitServing() bool {
	c.Helper()
	p := c.proxy
	for end := time.Now().Add(60 * time.Second); p.address == ""; {
		if match := clientsAddress.FindStringSubmatch(p.logs.String()); match != nil {
			p.address = match[1]
		}
		select {
		case <-p.ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
		if time.Now().After(end) {
			c.Fatalf("%s: the proxy does not serve: %s", c.plan, last(p.logs.String(), 2000))
		}
	}
	return true
}

// fall is the kill, if it has not come yet, and the look at what it left.
func (c *crash) fall() {
	p := c.proxy
	if c.plan.failpoint == "" {
		// The moment may come when the deed is done.
		select {
		case <-p.ended:
		case <-time.After(c.plan.after + time.Second):
		}
	}
	early := true
	select {
	case <-p.ended:
	case <-time.After(300 * time.Millisecond): // what was done has led to all its writes
		early = false
	}
	c.die()
	if early && !killed(p.command) {
		c.Fatalf("%s: the proxy ended by itself: %s", c.plan, last(p.logs.String(), 2000))
	}
	c.figures.note(func() {
		c.figures.killed++
		c.figures.byDeed[c.plan.deed]++
		switch {
		case !early:
			c.figures.lateKills++
		case c.plan.failpoint == "":
			c.figures.random++
		default:
			c.figures.reached[c.plan.failpoint[:strings.LastIndex(c.plan.failpoint, ":")]]++
		}
	})
}

func killed(command *exec.Cmd) bool {
	status, ok := command.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// die kills the proxy that there is.
func (c *crash) die() {
	if c.proxy == nil {
		return
	}
	_ = c.proxy.command.Process.Kill()
	<-c.proxy.ended
	c.proxy = nil
	c.ledger.bury(c.server.URL())
}

// forgetEverything is a machine on which the proxy never ran.
func (c *crash) forgetEverything() {
	for _, name := range []string{"store.db", "store.db.owner"} {
		if err := os.Remove(filepath.Join(c.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.Fatal(err)
		}
	}
	c.disk, c.browser = store.Credential{}, ""
}

// ready brings the machine to where a deed begins.
func (c *crash) ready(fresh, loggedIn bool) {
	c.setFaults()
	c.ledger.delay(0)
	if !fresh && c.proxy == nil {
		c.restart()
	}
	if loggedIn && c.askOnce() != nil {
		if err := c.personLogsIn(); err != nil {
			c.complain("the login before the deed failed: %v", err)
		}
		if err := c.askOnce(); err != nil {
			c.complain("after the login before the deed a call fails: %v", err)
		}
	}
	if c.proxy != nil && loggedIn {
		// What the disk holds now is what must not be lost.
		c.disk.Token = &knownToken
	}
	c.ledger.delay(time.Duration(c.plan.number%4) * 10 * time.Millisecond)
}

func (c *crash) restart() {
	c.Helper()
	c.launch("")
	if !c.awaitServing() {
		c.Fatalf("%s: the proxy does not start: %s", c.plan, last(c.proxy.logs.String(), 2000))
	}
	c.figures.note(func() { c.figures.restarts++ })
}

var errNeedsLogin = errors.New("a login is needed")

// askOnce is a client's tool call.
func (c *crash) askOnce() error {
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"name":"u__echo","arguments":{"text":"hello"}}}`
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.proxy.address, strings.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "u__echo"} {
		request.Header.Set(name, value)
	}
	text, err := fetch(&http.Client{}, request)
	switch {
	case err != nil:
		return err
	case strings.Contains(text, fmt.Sprintf(`"code":%d`, jsonrpc.CodeLoginNeeded)):
		return errNeedsLogin
	case !strings.Contains(text, `"text":"hello"`):
		return fmt.Errorf("the call was answered with %s", text)
	}
	return nil
}

func fetch(client *http.Client, request *http.Request) (string, error) {
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// personLogsIn is a login from the request to its outcome.
func (c *crash) personLogsIn() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var shown sync.Once
	var browsing sync.WaitGroup
	defer browsing.Wait()
	return c.proxy.control.Login(ctx, "u", true, func(r api.Report) {
		if r.URL != "" {
			shown.Do(func() { browsing.Go(func() { c.visit(r.URL); c.goOn() }) })
		}
	})
}

// visit is the browser at the authorization page, up to the redirect.
func (c *crash) visit(page string) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout: 20 * time.Second}
	response, err := client.Get(page)
	if err != nil {
		c.Errorf("%s: the page: %v", c.plan, err)
		return
	}
	_ = response.Body.Close()
	c.browser = response.Header.Get("Location")
}

// goOn is the browser going where it was sent; it reports whether the page there
// says that the login is done.
func (c *crash) goOn() (said string) {
	request, err := http.NewRequest(http.MethodGet, c.browser, nil)
	if err != nil {
		return err.Error()
	}
	said, err = fetch(&http.Client{Timeout: 20 * time.Second}, request)
	if err != nil {
		return err.Error()
	}
	c.browser = ""
	return said
}

// codeOf is the code that the browser holds.
func (c *crash) codeOf() string {
	back, err := url.Parse(c.browser)
	if err != nil {
		return ""
	}
	return back.Query().Get("code")
}

// The deeds. What fails because the proxy is gone is no error.

func (c *crash) logIn()     { c.acknowledged.loggedIn = c.personLogsIn() == nil }
func (c *crash) call()      { _ = c.askOnce() }
func (c *crash) manyCalls() { c.server.RevokeAccess(); c.atOnce(8) }
func (c *crash) refresh()   { c.server.RevokeAccess(); _ = c.askOnce() }

func (c *crash) atOnce(n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() { _ = c.askOnce() })
	}
	all.Wait()
}

func (c *crash) refreshFails() {
	c.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "status", Status: 503, Count: 1})
	c.refresh()
}

func (c *crash) refreshRefused() {
	c.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-grant", Count: 1})
	c.refresh()
}

func (c *crash) clientUnknown() {
	c.setFaults(oauthserver.Fault{Endpoint: "token", Kind: "invalid-client", Count: 1})
	c.refresh()
}

func (c *crash) logOut() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c.acknowledged.loggedOut = c.proxy.control.Post(ctx, "/v1/upstreams/u/logout", nil, nil) == nil
}

func (c *crash) decline() {
	c.setFaults(oauthserver.Fault{Endpoint: "authorize", Kind: "denied", Count: 1})
	_ = c.personLogsIn()
}

// openPage leaves the browser where it was sent back to the proxy.
func (c *crash) openPage() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = c.proxy.control.Login(ctx, "u", true, func(r api.Report) {
		if r.URL != "" && c.browser == "" {
			c.visit(r.URL)
			cancel()
		}
	})
}
