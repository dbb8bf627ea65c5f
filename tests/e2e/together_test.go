package e2e

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/admin/api"
	"mcpproxy/admin/client"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/tests/output"

	"golang.org/x/sync/errgroup"
)

var tries = flag.Int("tries", 3, "how often each pair of commands is started at the same time")

// limit bounds what one command may take.
const limit = 30 * time.Second

// within waits for one answer.
func within(m *machine, what string, done <-chan error) {
	m.Helper()
	select {
	case err := <-done:
		if err != nil {
			m.Errorf("%s: %v", what, err)
		}
	case <-time.After(limit):
		_, history, _ := m.run("statectl", "history", "u")
		m.Fatalf("%s takes too long: %s", what, history)
	}
}

// bridge is a client's end of mcpproxy stdio.
type bridge struct {
	*machine
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	errs    output.Buffer
	asked   int
}

func (m *machine) bridge() *bridge {
	m.Helper()
	b := &bridge{machine: m, command: m.command("mcpproxy", "stdio")}
	var out io.ReadCloser
	var err, other error
	b.in, err = b.command.StdinPipe()
	out, other = b.command.StdoutPipe()
	b.command.Stderr = &b.errs
	if err != nil || other != nil || b.command.Start() != nil {
		m.Fatal(err, other)
	}
	b.out = bufio.NewScanner(out)
	m.Cleanup(func() { _ = b.command.Process.Kill(); _ = b.command.Wait() })
	return b
}

// ask sends a request and waits for its answer.
func (b *bridge) ask(method, params string) error {
	b.asked++
	if _, err := fmt.Fprintf(b.in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", b.asked, method, params); err != nil {
		return fmt.Errorf("%w: %s", err, b.errs.String())
	}
	for b.out.Scan() {
		line := b.out.Text()
		if !strings.Contains(line, fmt.Sprintf(`"id":%d,`, b.asked)) {
			continue // a notification
		}
		if strings.Contains(line, `"error"`) {
			return fmt.Errorf("%s was answered with %s", method, line)
		}
		return nil
	}
	return fmt.Errorf("the bridge ended before %s was answered: %s", method, b.errs.String())
}

func (b *bridge) hello() error {
	err := b.ask("initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}`)
	if err == nil {
		_, err = io.WriteString(b.in, `{"jsonrpc":"2.0","method":"notifications/initialized"}`+"\n")
	}
	if err == nil {
		err = b.ask("tools/list", "{}")
	}
	return err
}

// processes are those that run on this machine's store.
func (m *machine) processes() []string {
	m.Helper()
	all, err := exec.Command("ps", "-axww", "-o", "pid=,args=").Output() // what has ended has no arguments
	if err != nil {
		m.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(all), "\n"), func(line string) bool { return !strings.Contains(line, m.dir) })
}

// endStarted sees that one process at most is left, and ends it.
func (m *machine) endStarted() {
	m.Helper()
	m.eventually("the end of all processes but one", func() bool { return len(m.processes()) < 2 })
	m.eventually("the end of the last process", func() bool {
		left := m.processes()
		for _, line := range left {
			var pid int
			if _, err := fmt.Sscan(line, &pid); err == nil {
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		}
		return len(left) == 0
	})
}

// who is the process that serves the socket.
func (m *machine) who() (api.Version, error) {
	return client.New(filepath.Join(m.dir, "mcpproxy.sock")).Who(context.Background())
}

// succeeds runs a command to its end.
func (m *machine) succeeds(program string, args ...string) error {
	if code, _, errs := m.run(program, args...); code != 0 {
		return fmt.Errorf("exit code %d: %s", code, errs)
	}
	return nil
}

func (m *machine) logsIn(name string) error {
	return m.succeeds("mcpproxy", "auth", "login", name, "--browser", m.browser())
}

// began starts a command and returns when it has done what it is for.
var began = map[string]func(*machine) error{
	"login": func(m *machine) error { return m.logsIn("u") },
	"logins": func(m *machine) error {
		logins, ctx := errgroup.WithContext(context.Background())
		for i := range 5 {
			logins.Go(func() error { return errors.Join(ctx.Err(), m.logsIn([]string{"u", "v"}[i%2])) })
		}
		return logins.Wait()
	},
	"logout": func(m *machine) error { return m.succeeds("mcpproxy", "auth", "logout", "u") },
	"dump":   func(m *machine) error { return m.succeeds("statectl", "dump") },
	"serve": func(m *machine) error {
		said := &output.Buffer{}
		c := m.command("mcpproxy", "serve", "--listen", "127.0.0.1:0", "--no-browser")
		c.Stderr = said
		if err := c.Start(); err != nil {
			return err
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		m.Cleanup(func() { _ = c.Process.Kill(); <-ended; ended <- nil })
		for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if clientsAddress.MatchString(said.String()) {
				return nil
			}
			select {
			case err := <-ended:
				ended <- nil
				return fmt.Errorf("it ended: %w: %s", err, said.String())
			default:
			}
		}
		return fmt.Errorf("it does not serve: %s", said.String())
	},
	"stdio": func(m *machine) error {
		b := m.bridge()
		if err := b.hello(); err != nil {
			return err
		}
		return b.ask("ping", "{}")
	},
}

// pairs are those of the commands that may hold the store, but for two proxies of a user:
// one of them ends, and says why.
func pairs() (all [][2]string) {
	commands := []string{"login", "serve", "stdio", "dump", "logout", "logins"}
	for i, one := range commands {
		for _, other := range commands[i:] {
			if one != "serve" || other != "serve" {
				all = append(all, [2]string{one, other})
			}
		}
	}
	return all
}

// Commands that are started at the same time on one store all succeed: who holds the store
// serves the others, or gives it to the proxy that is to stay; and no process is left over
// (fault J4).
func TestCommandsStartedAtTheSameTime(t *testing.T) {
	for _, pair := range pairs() {
		t.Run(pair[0]+"+"+pair[1], func(t *testing.T) {
			t.Parallel()
			for try := range *tries {
				t.Run(fmt.Sprint(try), func(t *testing.T) { together(t, pair, time.Duration(try*7%90)*time.Millisecond) })
			}
		})
	}
}

// together starts two commands, the later one after a pause.
func together(t *testing.T, pair [2]string, pause time.Duration) {
	m := newSequentialMachine(t, oauthserver.Options{AutoApprove: true})
	t.Cleanup(m.endStarted)
	m.configure(fmt.Sprintf(`{"mcpServers": {"u": {"url": %[1]q}, "v": {"url": %[1]q}}}`, m.server.MCPURL()))
	if slices.Contains(pair[:], "dump") {
		m.mustRun("mcpproxy", "auth", "logout", "u") // there is a store to look into
	}
	done := make(chan error, len(pair))
	for i, name := range pair {
		if i > 0 {
			time.Sleep(pause) // what meets differs from try to try
		}
		go func() {
			err := began[name](m)
			if err != nil && slices.Contains(pair[:], "logout") && strings.Contains(err.Error(), "not logged in (Logg") {
				err = nil // it was given up by the logout, and says so
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
			done <- err
		}()
	}
	for range pair {
		within(m, strings.Join(pair[:], "+"), done)
	}
	if c := m.server.Counters(); c.RefreshReused != 0 {
		t.Errorf("counted %+v", c)
	}
}
