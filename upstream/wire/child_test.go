package wire_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/tests/output"
	process "mcpproxy/upstream/child"
	"mcpproxy/upstream/wire"
)

// childKind is the environment's variable that makes the test's program a child
// process of the kind that it names.
const childKind = "WIRE_TEST_CHILD"

// child is an MCP server on standard streams.
func child(kind string) {
	if kind, proxy := strings.CutPrefix(kind, "proxy of "); proxy {
		beProxy(kind)
		return
	}
	if strings.Contains(kind, "deaf") {
		signal.Ignore(syscall.SIGTERM)
	} else if strings.Contains(kind, "stubborn") {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		go func() {
			<-asked
			fmt.Fprintln(os.Stderr, "was asked to end")
			os.Exit(0)
		}()
	}
	if strings.Contains(kind, "parent") {
		grandchild := exec.Command("sleep", "600")
		_ = grandchild.Start()
		fmt.Fprintln(os.Stderr, "grandchild", grandchild.Process.Pid)
	}
	if strings.Contains(kind, "leaves") {
		detached := exec.Command("sleep", "600")
		detached.Stdout, detached.Stderr = os.Stdout, os.Stderr
		detached.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		_ = detached.Start()
		fmt.Fprintln(os.Stderr, "detached", detached.Process.Pid, "")
	}
	fmt.Fprintln(os.Stderr, "a child of the kind", kind, "with the pid", os.Getpid(), "")
	in := bufio.NewScanner(os.Stdin)
	for n := 0; in.Scan(); n++ {
		m, err := jsonrpc.Decode(in.Bytes())
		if err != nil {
			continue
		}
		fmt.Fprintln(os.Stderr, "got", m.Method, string(m.Params))
		if n == 0 && m.Method != "initialize" && strings.Contains(kind, "abrupt") {
			os.Exit(3)
		}
		childAnswer(kind, m)
	}
	fmt.Fprintln(os.Stderr, "its input was closed")
	if strings.Contains(kind, "stubborn") {
		select {}
	}
	fmt.Fprintln(os.Stderr, "ends by itself")
}

// logged logs what a child says.
func logged(logger *slog.Logger) func(stream process.Stream, line string) {
	return func(stream process.Stream, line string) { logger.Info("child process", string(stream), line) }
}

// beProxy holds a connection to a child of its own until it is killed.
func beProxy(kind string) {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	conn := wire.Stdio(wire.Command{Path: program, Env: append(os.Environ(), childKind+"="+kind), Guard: &process.Guard{},
		Said: logged(slog.New(slog.NewTextHandler(os.Stdout, nil)))}, "2025-11-25", 0)
	defer conn.Close(context.Background())
	if _, err := conn.Handshake(context.Background(), wire.Client{Name: "t", Version: "1", Capabilities: json.RawMessage("{}")}); err != nil {
		panic(err)
	}
	select {}
}

func childAnswer(kind string, m *jsonrpc.Message) {
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	legacy := !strings.Contains(kind, "modern")
	switch {
	case m.Method == "initialize" && legacy:
		revision := "2025-11-25"
		if strings.Contains(kind, "batching") {
			revision = "2025-03-26"
		}
		say(`{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":%q,"capabilities":{},"serverInfo":{"name":"c","version":"1"}}}`, m.ID, revision)
	case m.Method == "server/discover" && strings.Contains(kind, "future"):
		say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32022,"message":"no","data":{"supported":["2099-01-01"]}}}`, m.ID)
	case m.Method == "server/discover" && !legacy:
		say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true}}}}`, m.ID)
	case m.Method == "subscriptions/listen" && !legacy:
		say(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}`)
		say(`{"jsonrpc":"2.0","id":"question","method":"ping"}`) // which it may not
		say(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}`)
	case m.Method == "never", !m.IsRequest(), strings.Contains(kind, "mute") && m.Method != "tools/list":
	case strings.Contains(kind, "batching") && m.Method == "tools/list":
		say(`[{"jsonrpc":"2.0","method":"notifications/message","params":{}},{"jsonrpc":"2.0","id":%s,"result":{"tools":[]}}]`, m.ID)
	case m.Method == "tools/list":
		say(`{"jsonrpc":"2.0","id":%s,"result":{"params":%q}}`, m.ID, m.Params)
	default:
		say(`{"jsonrpc":"2.0","id":%s,"error":{"code":-32602,"message":"initialize first"}}`, m.ID)
	}
}

// children starts children of the test's own program, with a log of what they say.
type children struct {
	*testing.T
	log output.Buffer
}

func (c *children) start(kind, known string) (wire.Conn, wire.Server, error) {
	c.Helper()
	program, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	said := logged(slog.New(slog.NewTextHandler(&c.log, nil)))
	conn := wire.Stdio(wire.Command{Path: program, Env: append(os.Environ(), childKind+"="+kind), Said: said}, known, 0)
	c.Cleanup(func() { conn.Close(context.Background()) })
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second)
	defer cancel()
	server, err := conn.Handshake(ctx, wire.Client{Name: "t", Version: "1", Capabilities: json.RawMessage("{}")})
	return conn, server, err
}

// logged waits for what a real process says, and reports whether it came.
func (c *children) logged(what string) bool {
	for range 200 {
		if strings.Contains(c.log.String(), what) {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// The era of a child is found out, whatever it does with a question of the other one.
func TestTheEraOfAChild(t *testing.T) {
	for _, test := range []struct {
		kind, known, revision string
		asked                 []string // in this order
	}{
		{"modern", "", "2026-07-28", []string{"server/discover", "tools/list"}},
		{"legacy", "", "2025-11-25", []string{"server/discover", "initialize", "tools/list"}},
		{"legacy, mute", "", "2025-11-25", []string{"server/discover", "initialize", "tools/list"}},
		{"legacy, abrupt", "", "2025-11-25", []string{"server/discover", "initialize", "tools/list"}},
		{"legacy", "2025-11-25", "2025-11-25", []string{"initialize", "tools/list"}},
		{"modern", "2025-11-25", "2026-07-28", []string{"initialize", "server/discover", "tools/list"}},
	} {
		t.Run(test.kind+" known as "+test.known, func(t *testing.T) {
			t.Parallel()
			c := &children{T: t}
			conn, server, err := c.start(test.kind, test.known)
			if err != nil || server.ProtocolVersion != test.revision {
				t.Fatalf("%q, %v", server.ProtocolVersion, err)
			}
			result, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"})
			if describes := strings.Contains(string(result), `io.modelcontextprotocol/protocolVersion\":\"2026-07-28`); err != nil || describes != (test.revision == "2026-07-28") {
				t.Errorf("the request says of itself: %s, %v", result, err)
			}
			c.logged("got tools/list")
			rest := c.log.String()
			for _, method := range test.asked {
				_, behind, found := strings.Cut(rest, "got "+method+" ")
				if rest = behind; !found {
					t.Errorf("it was not asked for %s, or not in this order: %s", method, c.log.String())
				}
			}
			if len(test.asked) < 3 && strings.Contains(c.log.String(), "got initialize") != (test.known != "") {
				t.Errorf("more than one way was tried: %s", c.log.String())
			}
		})
	}
}

// A child that names revisions of its own era only is not asked in the other era's way.
func TestAChildOfTheFuture(t *testing.T) {
	c := &children{T: t}
	conn, _, err := c.start("modern, future", "")
	if !errors.Is(err, wire.ErrProtocol) || !strings.Contains(err.Error(), "2099-01-01") {
		t.Error(err)
	}
	conn.Close(t.Context()) // what it says is in the log then
	if strings.Contains(c.log.String(), "got initialize") {
		t.Error(c.log.String())
	}
}

// A child of the stateless protocol is subscribed to, and is sent no responses.
func TestNotificationsOfAStatelessChild(t *testing.T) {
	c := &children{T: t}
	conn, _, err := c.start("modern", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	notified := make(chan string, 8)
	ended := make(chan error, 1)
	go func() {
		ended <- conn.Listen(ctx, listening(func(method string, _ json.RawMessage) { notified <- method }))
	}()
	if method := <-notified; method != "notifications/tools/list_changed" {
		t.Errorf("first came %s", method)
	}
	if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !c.logged("got notifications/cancelled") {
		t.Error("the subscription was not ended")
	}
	if log := c.log.String(); strings.Contains(log, `msg="child process" stderr="got  `) {
		t.Errorf("it was sent a response: %s", log)
	}
}

// A call that nobody waits for any more is cancelled at the child, in both eras.
func TestCancellingAtAChild(t *testing.T) {
	for kind, id := range map[string]string{"legacy": "3", "modern": "2"} { // behind one handshake or two
		c := &children{T: t}
		conn, _, err := c.start(kind, "")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := conn.Call(ctx, relay.Call{Method: "never"})
			ended <- err
		}()
		if !c.logged("got never") {
			t.Fatal(c.log.String())
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if !c.logged(`\"reason\":\"context canceled\",\"requestId\":` + id + `}`) {
			t.Errorf("%s: the child was not told: %s", kind, c.log.String())
		}
	}
}

// A child of 2025-03-26 may put several messages into one line.
func TestBatchesOfAChild(t *testing.T) {
	conn, _, err := (&children{T: t}).start("legacy, batching", "")
	if err != nil {
		t.Fatal(err)
	}
	if result, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); string(result) != `{"tools":[]}` || err != nil {
		t.Errorf("%s, %v", result, err)
	}
}

// What a child says on its standard error is logged, and is no failure.
func TestStandardErrorIsALog(t *testing.T) {
	c := &children{T: t}
	if _, _, err := c.start("legacy", ""); err != nil {
		t.Fatal(err)
	}
	if !c.logged(`msg="child process" stderr="a child of the kind legacy `) {
		t.Errorf("the log has %s", c.log.String())
	}
}

// Closing ends every child: one that heeds the end of its input, one that has to be
// asked, one that has to be killed, in this order and no sooner than it has to be; and
// what a child has started ends with it.
func TestClosingEndsTheChild(t *testing.T) {
	const closed, asked, itself = "its input was closed", "was asked to end", "ends by itself"
	for kind, says := range map[string][]string{"obedient": {closed, itself}, "stubborn": {closed, asked}, "stubborn, deaf": {closed},
		"parent": {closed, itself}, "stubborn, deaf, parent": {closed}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := &children{T: t}
			conn, _, err := c.start(kind, "2025-11-25")
			if err != nil {
				t.Fatal(err)
			}
			conn.Close(t.Context())
			rest := c.log.String()
			for _, step := range []string{closed, asked, itself} {
				before, behind, said := strings.Cut(rest, step)
				if said != slices.Contains(says, step) {
					t.Errorf("it says that it %s: %t, and behind that %q", step, said, before)
				}
				if said {
					rest = behind
				}
			}
			if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); !errors.Is(err, wire.ErrLost) {
				t.Errorf("after the end: %v", err)
			}
			if _, text, found := strings.Cut(c.log.String(), "grandchild "); found {
				number, _, _ := strings.Cut(text, `"`)
				pid, err := strconv.Atoi(number)
				if err != nil {
					t.Fatal(err)
				}
				awaitGone(t, pid)
			} else if strings.Contains(kind, "parent") {
				t.Errorf("it started nothing: %s", c.log.String())
			}
		})
	}
}

// pidLogged is the number behind a word that a child logs.
func (c *children) pidLogged(word string) int {
	c.Helper()
	c.logged(word + " ")
	_, text, _ := strings.Cut(c.log.String(), word+" ")
	number, _, _ := strings.Cut(text, " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		c.Fatal(err)
	}
	return pid
}

// A child that ends is over although what it left behind, out of its group, holds its
// streams open, and so is the connection, in time: fault C2.
func TestWhatAChildLeavesBehindHoldsNothingUp(t *testing.T) {
	t.Parallel()
	c := &children{T: t}
	conn, _, err := c.start("leaves", "2025-11-25")
	if err != nil {
		t.Fatal(err)
	}
	pid, detached := c.pidLogged("with the pid"), c.pidLogged("detached")
	defer func() { _ = syscall.Kill(detached, syscall.SIGKILL) }()
	ended := make(chan error, 1)
	go func() { ended <- conn.Listen(t.Context(), listening(func(string, json.RawMessage) {})) }()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("the listening ended with %v", err)
	}
	conn.Close(t.Context())
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}

// A child that reads nothing holds up nobody for longer than he waits, and is ended all
// the same: fault C5.
func TestAChildThatReadsNothingHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := &children{T: t}
	conn, _, err := c.start("legacy", "2025-11-25")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(c.pidLogged("with the pid"), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	large := json.RawMessage(`{"text":"` + strings.Repeat("x", 3<<20) + `"}`)
	for range 3 { // the first is in the middle of its line, the others behind it
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		begin := time.Now()
		_, err := conn.Call(ctx, relay.Call{Method: "tools/list", Params: large})
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took > 2*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if err := conn.Notify(ctx, "notifications/x", nil); err == nil {
			t.Error("a notification was sent")
		}
		cancel()
	}
	conn.Close(t.Context())
}

// A proxy that is killed ends nothing by itself. The system closes its end of the child's
// input, which most children heed; what does not, and what it has started, is ended by
// the guard (fault I9).
func TestAKilledProxyLeavesNoChild(t *testing.T) {
	for _, kind := range []string{"obedient", "stubborn deaf parent"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			proxy := exec.Command(program)
			proxy.Env = append(os.Environ(), childKind+"=proxy of "+kind)
			out, err := proxy.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := proxy.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = proxy.Wait() }() // it was killed
			defer func() { _ = proxy.Process.Kill() }()
			var family []int
			for lines := bufio.NewScanner(out); lines.Scan(); {
				for _, member := range []string{"grandchild ", "with the pid "} {
					if _, text, found := strings.Cut(lines.Text(), member); found {
						number, _, _ := strings.Cut(strings.TrimRight(text, `"`), " ")
						pid, err := strconv.Atoi(number)
						if err != nil {
							t.Fatal(err)
						}
						family = append(family, pid)
					}
				}
				if strings.Contains(lines.Text(), "got notifications/initialized") {
					break
				}
			}
			if want := strings.Count(kind, "parent") + 1; len(family) != want {
				t.Fatalf("the proxy's children are %v, want %d", family, want)
			}
			if err := proxy.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for _, pid := range family {
				awaitGone(t, pid)
			}
		})
	}
}

// awaitGone waits until a process has ended; as a zombie it has, whoever reaps it.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if err != nil || strings.HasPrefix(string(state), "Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("the process %d goes on", pid)
}
