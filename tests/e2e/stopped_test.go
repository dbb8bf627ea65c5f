package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
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
		if _, body := m.post(session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u__echo","arguments":{}}}`); !strings.Contains(body, `"content":[]`) {
			m.Fatalf("a call was answered with %.300s", body)
		}
		all = append(all, time.Since(begun))
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// stopBridge starts a bridge, has it initialize, and stops it with SIGSTOP.
func (m *machine) stopBridge() *exec.Cmd {
	m.Helper()
	bridge := m.command("mcpproxy", "stdio")
	in, err := bridge.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	out, err := bridge.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := bridge.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		_ = bridge.Process.Kill()
		_ = bridge.Wait()
	})
	if _, err := io.WriteString(in, initializeLine+"\n"); err != nil {
		m.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		m.Fatal(err)
	}
	if err := bridge.Process.Signal(syscall.SIGSTOP); err != nil {
		m.Fatal(err)
	}
	return bridge
}

// openUnread opens a session's own stream and never reads it, as a client does that was stopped.
func (m *machine) openUnread() {
	m.Helper()
	header, _ := m.post("", initializeLine)
	host := strings.TrimSuffix(strings.TrimPrefix(m.address, "http://"), "/mcp")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /mcp HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\n\r\n", host, header.Get("Mcp-Session-Id")); err != nil {
		m.Fatal(err)
	}
}

// resident is the memory of the proxy, in MiB.
func (m *machine) resident() int {
	m.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.serve.Process.Pid))
	if err != nil {
		m.Skip("needs /proc")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		m.Fatal(err)
	}
	return kib >> 10
}

// A bridge that was stopped and a client that does not read its stream hold nobody up,
// take no more memory than their bound, and neither reload nor the end of the proxy
// waits for them (faults F1, F2 and F3). STOPPED_FOR=1m measures for longer.
func TestStoppedClientsHoldNobodyUp(t *testing.T) {
	lasting := 3 * time.Second
	if text := os.Getenv("STOPPED_FOR"); text != "" {
		var err error
		if lasting, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, oauthserver.Options{AutoApprove: true})
	entry := fmt.Sprintf(`"u": {"command": %q, "env": {%q: "1"}}`, self, chattyVariable)
	m.configure(`{"mcpServers": {` + entry + `}}`)
	m.start()
	m.awaitPhase("Connected")
	header, _ := m.post("", initializeLine)
	session := header.Get("Mcp-Session-Id")
	m.calls(session, lasting/3) // warm
	alone := m.calls(session, lasting)
	m.stopBridge()
	m.openUnread()
	before := m.resident()
	beside := m.calls(session, lasting)
	grown := m.resident() - before
	t.Logf("p99 of a call alone %s, beside stopped clients %s; %d MiB more", alone, beside, grown)
	if beside > 2*alone+100*time.Millisecond {
		t.Errorf("the 99th percentile of a call grew from %s to %s", alone, beside)
	}
	if bound := 32 + 3*2*16; grown > bound { // two clients, with what the collector leaves
		t.Errorf("%d MiB are kept for two clients that may have 16 each", grown)
	}
	m.configure(`{"mcpServers": {` + entry + `, "second": ` + strings.TrimPrefix(entry, `"u": `) + `}}`)
	m.eventually("the second upstream", func() bool {
		_, body := m.post(session, `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
		return strings.Contains(body, "second__echo")
	})
	if err := m.serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.serve.Wait() }()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	select {
	case <-ended:
		m.serve = nil
	case <-ctx.Done():
		t.Errorf("the proxy does not end; its log is %s", filepath.Join(m.dir, "serve.log"))
		_ = m.serve.Process.Kill()
		<-ended
		m.serve = nil
	}
}
