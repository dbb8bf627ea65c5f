package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

// chattyVariable makes this program an MCP server of standard streams that logs a lot.
const chattyVariable = "E2E_CHATTY"

// chattyLogs is how many messages it logs with each call, of a KiB each.
const chattyLogs = 20

func chatty() {
	lines, out := bufio.NewScanner(os.Stdin), bufio.NewWriter(os.Stdout)
	text := strings.Repeat("x", 1<<10)
	for lines.Scan() {
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.Unmarshal(lines.Bytes(), &m) != nil || m.ID == nil {
			continue
		}
		body := `"error":{"code":-32601,"message":"unknown"}`
		switch m.Method {
		case "initialize":
			body = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"logging":{}},"serverInfo":{"name":"chatty","version":"1"}}`
		case "tools/list":
			body = `"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
		case "tools/call":
			for range chattyLogs {
				fmt.Fprintf(out, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":%q}}`+"\n", text)
			}
			body = `"result":{"content":[]}`
		}
		fmt.Fprintf(out, `{"jsonrpc":"2.0","id":%s,%s}`+"\n", m.ID, body)
		if out.Flush() != nil {
			return
		}
	}
}

const echoLine = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u__echo","arguments":{}}}`

const initializeLine = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}}`

// post sends a message of a session and returns the answer's text.
func (m *machine) post(session, text string) (header http.Header, body string) {
	m.Helper()
	request, err := http.NewRequestWithContext(m.Context(), http.MethodPost, m.address, strings.NewReader(text))
	if err != nil {
		m.Fatal(err)
	}
	request.Header.Set("Mcp-Session-Id", session)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		m.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		m.Fatal(err)
	}
	return response.Header, string(read)
}

// calls calls for so long, and returns the 99th percentile of the time that one takes.
func (m *machine) calls(session string, lasting time.Duration) time.Duration {
	m.Helper()
	var all []time.Duration
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		begun := time.Now()
		if _, body := m.post(session, echoLine); !strings.Contains(body, `"content":[]`) {
			m.Fatalf("a call was answered with %.300s", body)
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// Variables that make this program a client of the proxy, of one of the kinds.
const (
	clientVariable  = "E2E_CLIENT"
	addressVariable = "E2E_ADDRESS"
)

// beClient is a client that works without a pause, and says when it has begun: one that calls,
// several times at once, and reads what comes with its answers, or one that listens to its
// stream.
func beClient(kind, address string) error {
	send := func(method, session, body string) (*http.Response, error) {
		request, err := http.NewRequest(method, address, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Mcp-Session-Id", session)
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/json, text/event-stream")
		return http.DefaultClient.Do(request)
	}
	opened, err := send(http.MethodPost, "", initializeLine)
	if err != nil {
		return err
	}
	_ = opened.Body.Close()
	session := opened.Header.Get("Mcp-Session-Id")
	if kind == listens {
		stream, err := send(http.MethodGet, session, "")
		if err != nil {
			return err
		}
		fmt.Println("it listens")
		_, err = io.Copy(io.Discard, stream.Body)
		return err
	}
	failed := make(chan error)
	for n := range 8 {
		go func() {
			for calls := 0; ; calls++ {
				answer, err := send(http.MethodPost, session, echoLine)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
				}
				if err != nil {
					failed <- err
					return
				}
				if n == 0 && calls == 20 {
					fmt.Println("it calls")
				}
			}
		}()
	}
	return <-failed
}

// The kinds of clients that are stopped.
const (
	calls   = "calls over HTTP"
	listens = "listens to its stream (SSE)"
	bridges = "a bridge (mcpproxy stdio)"
)

// begin starts a client of the kind, and returns it when it has begun.
func (m *machine) begin(kind string) *exec.Cmd {
	m.Helper()
	self, err := os.Executable()
	if err != nil {
		m.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), clientVariable+"="+kind, addressVariable+"="+m.address)
	if kind == bridges {
		c = m.command("mcpproxy", "stdio")
	}
	in, err := c.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := c.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	if kind == bridges {
		if _, err := io.WriteString(in, initializeLine+"\n"); err != nil {
			m.Fatal(err)
		}
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		m.Fatal(err)
	}
	return c
}

// resident is the memory of the proxy, in MiB, where that can be known.
func (m *machine) resident() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.serve.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, _ := strconv.Atoi(strings.Fields(rest + " 0")[0])
	return kib >> 10
}

// watchResident returns what ends a watch of the proxy's memory, and says what it was at most.
func (m *machine) watchResident() (end func() int) {
	most, stop, ended := m.resident(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				most = max(most, m.resident())
			}
		}
	}()
	return func() int {
		close(stop)
		<-ended
		return most
	}
}

// A client that is stopped under load (SIGSTOP), of whatever kind, holds nobody up and
// takes no more memory than its bound, and neither reload nor the end of the proxy waits for
// it (faults F1, F2 and F3). STOPPED_FOR=1m measures for longer.
func TestStoppedClientsHoldNobodyUp(t *testing.T) {
	lasting := 2 * time.Second
	if text := os.Getenv("STOPPED_FOR"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	for _, kind := range []string{calls, listens, bridges} {
		t.Run(kind, func(t *testing.T) { stopped(t, kind, lasting) })
	}
}

func stopped(t *testing.T, kind string, lasting time.Duration) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := newSequentialMachine(t, oauthserver.Options{AutoApprove: true})
	entry := fmt.Sprintf(`"u": {"command": %q, "env": {%q: "1"}}`, self, chattyVariable)
	m.configure(`{"mcpServers": {` + entry + `}}`)
	m.start()
	m.awaitPhase("Connected")
	header, _ := m.post("", initializeLine)
	session := header.Get("Mcp-Session-Id")
	m.calls(session, lasting/3) // warm
	earlier := m.calls(session, lasting/2)
	c := m.begin(kind)
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	before, most := m.resident(), m.watchResident()
	beside := m.calls(session, lasting)
	peak, grown := most()-before, m.resident()-before
	m.configure(`{"mcpServers": {` + entry + `, "second": ` + strings.TrimPrefix(entry, `"u": `) + `}}`)
	m.eventually("the second upstream", func() bool {
		_, body := m.post(session, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		return strings.Contains(body, "second__echo")
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	alone := (earlier + m.calls(session, lasting/2)) / 2
	t.Logf("p99 of a call alone %s, beside a stopped client %s (%+.0f %%); %d MiB more, %d at most", alone, beside,
		100*(float64(beside)/float64(alone)-1), grown, peak)
	if beside > 2*alone+100*time.Millisecond {
		t.Errorf("the 99th percentile of a call grew from %s to %s", alone, beside)
	}
	if bound := 32 + 3*16; grown > bound { // with what the collector leaves
		t.Errorf("%d MiB are kept for a client that may have 16", grown)
	}
	if err := m.begin(kind).Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	m.wantsToEnd()
}

// wantsToEnd wants the proxy to end when it is asked to.
func (m *machine) wantsToEnd() {
	m.Helper()
	if err := m.serve.Process.Signal(syscall.SIGTERM); err != nil {
		m.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.serve.Wait() }()
	ctx, stop := context.WithTimeout(m.Context(), 20*time.Second)
	defer stop()
	select {
	case <-ended:
	case <-ctx.Done():
		m.Errorf("the proxy does not end; its log is %s", filepath.Join(m.dir, "serve.log"))
		_ = m.serve.Process.Kill()
		<-ended
	}
	m.serve = nil
}
