package upstream_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
	"mcpproxy/states"
	"mcpproxy/status"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/child"
)

// childKind is the environment's variable that makes the test's program a child
// process of the kind that it names.
const childKind = "UPSTREAM_TEST_CHILD"

// child is an MCP server on standard streams: one that ends at once, one that is of no
// use for longer than its lists are read, or one that lasts. It says on its standard
// error what it is sent, and its tool says which process it is.
func childProcess(kind string) {
	if kind == "ends at once" {
		os.Exit(3)
	}
	if kind == "leaves" {
		detach()
	}
	if kind == "complains" {
		fmt.Println("Welcome to this server!")
		fmt.Fprintln(os.Stderr, "warning: \x1b[31msomething\x1b[0m is odd")
		fmt.Fprintln(os.Stderr, "the key is", os.Getenv("UPSTREAM_TEST_KEY"))
		fmt.Fprintln(os.Stderr, "error: API_KEY "+os.Getenv("UPSTREAM_TEST_SECRET")+" was refused", os.Args[1:])
		os.Exit(1)
	}
	if kind == "shows its environment" {
		for _, variable := range os.Environ() {
			name, _, _ := strings.Cut(variable, "=")
			fmt.Fprintln(os.Stderr, "has", name)
		}
	}
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		m, err := jsonrpc.Decode(in.Bytes())
		if err != nil {
			continue
		}
		fmt.Fprintln(os.Stderr, "got", m.Method, string(m.Params))
		switch m.Method {
		case "server/discover":
			say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}}`, m.ID)
		case "tools/list":
			say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","tools":[{"name":"pid","inputSchema":{"type":"object"}}]}}`, m.ID)
		case "resources/list":
			say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","resources":[{"uri":"a://one"}]}}`, m.ID)
		case "resources/templates/list":
			say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","resourceTemplates":[]}}`, m.ID)
		case "subscriptions/listen":
			if kind == "brief" {
				os.Exit(4)
			}
			say(`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}`)
		case "tools/call":
			if name, _ := jsonrpc.String(m.Params, "name"); name == "pid" {
				say(`{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","pid":%d}}`, m.ID, os.Getpid())
			}
		}
	}
}

// detach starts a process out of the child's group that holds its streams.
func detach() {
	helper := exec.Command("sleep", "600")
	helper.Stdout, helper.Stderr = os.Stdout, os.Stderr
	helper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	_ = helper.Start()
	fmt.Fprintln(os.Stderr, "detached", helper.Process.Pid, "")
}

// A child that ends although a helper of its own holds its streams is no connection any
// more, at once, and neither the next child nor the stop has to wait: fault C2.
func TestAHelperOfAChildHoldsUpNothing(t *testing.T) {
	t.Parallel()
	r := childRig(t, "leaves")
	first := r.pid()
	r.awaitLogged("detached ", 1)
	defer func() {
		for rest := r.logs.String(); ; {
			_, text, found := strings.Cut(rest, "detached ")
			if rest = text; !found {
				return
			}
			number, _, _ := strings.Cut(text, " ")
			if pid, err := strconv.Atoi(number); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}()
	begin := time.Now()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.await("the end of the connection", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.BackingOff })
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it is said to be connected for %s", took)
	}
	if second := r.pid(); second == first {
		t.Errorf("%d answers after its end", second)
	}
	begin = time.Now()
	r.stopped()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// childRig is a rig whose upstream is a child process.
func childRig(t *testing.T, kind string, changes ...func(*upstream.Config)) *rig {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, oauthserver.Options{}, func(c *upstream.Config) {
		c.Transport, c.URL, c.Command = upstream.Stdio, "", program
		c.Env = map[string]credential.Secret{childKind: credential.NewSecret(kind)}
		for _, change := range changes {
			change(c)
		}
	})
}

// pid asks the child which process it is.
func (r *rig) pid() int {
	r.Helper()
	result, err := r.up.Call(r.context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"pid"}`)})
	if err != nil {
		r.Fatalf("call: %v", err)
	}
	pid, err := strconv.Atoi(string(jsonrpc.Member(result, "pid")))
	if err != nil {
		r.Fatalf("%s: %v", result, err)
	}
	return pid
}

// Nobody is asked to log in for a child process, and nothing is looked up for it.
func TestAChildNeedsNoLogin(t *testing.T) {
	t.Parallel()
	r := childRig(t, "lasts")
	r.pid()
	r.awaitCredential(states.NotNeeded)
	if err := r.up.Login(r.context(), nil); !errors.Is(err, upstream.ErrNoLogin) {
		t.Errorf("login = %v", err)
	}
	r.awaitCredential(states.NotNeeded)
	for _, e := range r.entries() {
		if e.To == string(states.Discovering) {
			t.Errorf("%s began a discovery", e.Event)
		}
	}
	r.wantCounts(want{})
}

// A child that ends is started again. What it was asked is lost and said to be, or sent
// again where that is safe; what clients listen to is asked for again.
func TestAChildThatEndsIsStartedAgain(t *testing.T) {
	t.Parallel()
	r := childRig(t, "lasts")
	first, connection := r.pid(), r.up.Snapshot().Data.Connection
	if _, err := r.up.Call(r.context(), relay.Call{Method: "resources/subscribe", Params: json.RawMessage(`{"uri":"a://one"}`)}); err != nil {
		t.Fatal(err)
	}
	listening := `"resourceSubscriptions\":[\"a://one\"]`
	r.awaitLogged(listening, 1)
	lost := make(chan error, 1)
	go func() {
		_, err := r.up.Call(r.context(), relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"never"}`)})
		lost <- err
	}()
	r.awaitLogged(`\"name\":\"never\"`, 1)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var answer *jsonrpc.Error
	if err := <-lost; !errors.As(err, &answer) || !strings.Contains(answer.Message, "signal: killed") ||
		!strings.Contains(answer.Message, "is not known") {
		t.Errorf("the call that was under way: %v", err)
	}
	r.await("another connection", func(s *transitions.Snapshot) bool { return s.Data.Connection != connection })
	if second := r.pid(); second == first {
		t.Errorf("%d answers after its end", second)
	}
	r.awaitLogged(listening, 2)
	if _, err := r.up.Call(r.context(), relay.Call{Method: "resources/unsubscribe", Params: json.RawMessage(`{"uri":"a://one"}`)}); err != nil {
		t.Fatal(err)
	}
}

// A child that ends at once, or as soon as it is of use, is started at growing
// intervals, once for each; when the next time is, and why, is there to see (fault J12's
// kind).
func TestAChildThatEndsAtOnceIsStartedAtGrowingIntervals(t *testing.T) {
	for kind, ending := range map[string]string{"ends at once": "exit status 3", "brief": "exit status 4"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			r := childRig(t, kind)
			var pauses []float64
			for n := 1; n <= 3; n++ {
				s, err := r.up.Machine().Wait(r.context(), func(s *transitions.Snapshot) bool {
					return s.Region(states.Connection).State == states.BackingOff && s.Data.Attempts == n
				})
				if err != nil {
					r.dump()
					t.Fatal(err)
				}
				if !strings.Contains(s.Data.ConnectionError.Text, ending) {
					t.Errorf("the failure is %q", s.Data.ConnectionError.Text)
				}
				shown := status.Of(transitions.Definition(), s, time.Now()).Regions[0].Timers
				if len(shown) != 1 || !shown[0].At.Equal(s.Data.RetryAt) {
					t.Errorf("the next start is at %s, and shown is %+v", s.Data.RetryAt, shown)
				}
				pauses = append(pauses, s.Data.RetryAt.Sub(s.Region(states.Connection).Since).Seconds())
			}
			starts := 0
			for _, line := range r.up.Words().After(0) {
				if line.Stream == child.Started {
					starts++
				}
			}
			if starts > 4 { // the first attempt may ask in both ways, the others start it once
				t.Errorf("three attempts started it %d times", starts)
			}
			// Each is twice the one before, give or take a half.
			if pauses[2] <= pauses[0] || pauses[0] > 0.75 {
				t.Errorf("the pauses are %v seconds", pauses)
			}
			if _, err := r.up.Disconnect(fsm.Person); err != nil {
				t.Error(err)
			}
		})
	}
}

// awaitLogged waits until a text was logged so many times.
func (r *rig) awaitLogged(text string, times int) {
	r.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(10 * time.Second); strings.Count(r.logs.String(), text) < times; {
		select {
		case <-poll.C:
		case <-deadline:
			r.Fatalf("%s was not logged %d times: %s", text, times, r.logs.String())
		}
	}
}

// What a child said before it ended says why, and is there to read: in the error, the
// status and the lines that are kept, without the secrets that its entry gave it (fault I7).
func TestTheWordsOfAChildThatEnds(t *testing.T) {
	t.Parallel()
	r := childRig(t, "complains", func(c *upstream.Config) {
		c.Env["UPSTREAM_TEST_PREFIX"] = credential.NewSecret("s3cret")
		c.Env["UPSTREAM_TEST_SECRET"] = credential.NewSecret("s3cret-value")
		c.Args = []string{"--key=hidden-argument"}
		c.ArgSecrets = []credential.Secret{credential.NewSecret("hidden-argument")}
		c.Env["UPSTREAM_TEST_KEY"] = credential.NewSecret("first-s3cret\r\nsecond-s3cret\n")
	})
	r.await("the end", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.BackingOff })
	status := r.up.Status()
	if text := status.ConnectionError.Text; !strings.Contains(text, "exit status 1; it said last: error: API_KEY ") ||
		strings.Contains(text, "s3cret") || strings.Contains(text, "hidden") {
		t.Errorf("the error is %q", text)
	} else if strings.Contains(text, "-value") {
		t.Errorf("the error has the end of a secret: %q", text)
	}
	streams := map[child.Stream]string{}
	for _, line := range status.Said {
		streams[line.Stream] += line.Text + "\n"
	}
	for stream, want := range map[child.Stream]string{child.Stdout: "Welcome to this server!", child.Stderr: "is odd",
		child.Started: "as process", child.Ended: "exit status 1"} {
		if !strings.Contains(streams[stream], want) || strings.Contains(streams[stream], "s3cret") ||
			strings.Contains(streams[stream], "hidden") {
			t.Errorf("%s: %q, want %q in it", stream, streams[stream], want)
		}
	}
}

// A command that is not there is not a server that answers wrongly, and is not tried
// again by itself (fault I7).
func TestAMissingCommandIsSaidToBeSo(t *testing.T) {
	t.Parallel()
	r := childRig(t, "lasts", func(c *upstream.Config) { c.Command = "no-such-command-here" })
	r.await("the end", func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Failed })
	if text := r.up.Snapshot().Data.ConnectionError.Text; !strings.Contains(text, `command not found in PATH: "no-such-command-here"`) {
		t.Errorf("the error is %q", text)
	}
}

// A child has of the proxy's environment what it needs to run, and not the tokens of
// others; more where its entry says so (fault I8).
func TestTheEnvironmentOfAChild(t *testing.T) {
	t.Setenv("UPSTREAM_TEST_ANOTHERS_TOKEN", "token")
	for _, test := range []struct {
		inherit []string
		has     bool
	}{{nil, false}, {[]string{"UPSTREAM_TEST_ANOTHERS_*"}, true}, {[]string{"*"}, true}} {
		r := childRig(t, "shows its environment", func(c *upstream.Config) { c.InheritEnv = test.inherit })
		r.pid()
		said := ""
		for _, line := range r.up.Words().After(0) {
			said += line.Text + "\n"
		}
		if !strings.Contains(said, "has PATH\n") || !strings.Contains(said, "has "+childKind+"\n") ||
			strings.Contains(said, "has UPSTREAM_TEST_ANOTHERS_TOKEN\n") != test.has {
			t.Errorf("with inheritEnv %q it has:\n%s", test.inherit, said)
		}
	}
}
