package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcpproxy/tests/oauthserver"
)

var outages = flag.Bool("outages", false, "measure the return from outages of up to a minute")

// authorizationServer is one in a process of its own.
type authorizationServer struct {
	*testing.T
	process       *exec.Cmd
	address, path string
}

var readyLine = regexp.MustCompile(`authorization server (\S+), MCP server (\S+),`)

func startAuthorizationServer(t *testing.T) *authorizationServer {
	s := &authorizationServer{T: t, process: exec.Command(filepath.Join(programs, "server"), "-port", "0", "-auto-approve")}
	out, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	match := readyLine.FindStringSubmatch(line)
	if err != nil || match == nil {
		t.Fatalf("the server said %q, %v", line, err)
	}
	s.address, s.path = match[1], match[2]
	return s
}

// control does one thing of the control endpoint.
func (s *authorizationServer) control(what, body string) {
	s.Helper()
	response, err := http.Post(s.address+"/control/"+what, "application/json", strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusBadRequest {
		s.Fatalf("%s: %s", what, response.Status)
	}
}

// ways in which an authorization server is away, and comes back.
var ways = []struct {
	name       string
	goes, come func(*authorizationServer)
}{
	{"answers 503", func(s *authorizationServer) {
		s.control("faults", `[{"endpoint":"token","kind":"status","status":503},{"endpoint":"metadata","kind":"status","status":503}]`)
	}, func(s *authorizationServer) { s.control("reset", "") }},
	{"is stopped", func(s *authorizationServer) { s.signal(syscall.SIGSTOP) }, func(s *authorizationServer) { s.signal(syscall.SIGCONT) }},
}

func (s *authorizationServer) signal(which syscall.Signal) {
	s.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.Fatal(err)
	}
}

// Calls go on within two seconds of the end of an outage of the authorization server,
// however long it was and whatever it was like: the proxy and the server are real
// processes (fault B6). With -outages it measures those of docs/reliability.md.
func TestReturnFromAnOutage(t *testing.T) {
	lengths := []time.Duration{2 * time.Second}
	if *outages {
		lengths = nil
		for _, seconds := range []int{1, 2, 5, 10, 20, 30, 45, 60} {
			lengths = append(lengths, time.Duration(seconds)*time.Second)
		}
	}
	for _, way := range ways {
		for _, length := range lengths {
			t.Run(fmt.Sprint(way.name, " for ", length), func(t *testing.T) {
				m := newMachine(t, oauthserver.Options{})
				s := startAuthorizationServer(t)
				m.configure(fmt.Sprintf(`{"mcpServers": {"u": {"url": %q}}}`, s.path))
				m.start()
				m.login()
				m.awaitPhase("Connected")
				header, _ := m.post("", initializeLine)
				session := header.Get("Mcp-Session-Id")
				good := func() bool {
					_, body := m.post(session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u__echo","arguments":{"text":"hello"}}}`)
					return strings.Contains(body, `"text":"hello"`)
				}
				if !good() {
					t.Fatal("no call goes through before the outage")
				}
				s.control("revoke-access", "")
				way.goes(s)
				stop, called := make(chan struct{}), make(chan struct{})
				go func() { // calls as clients make them
					defer close(called)
					for {
						select {
						case <-stop:
							return
						case <-time.After(100 * time.Millisecond):
							good()
						}
					}
				}()
				time.Sleep(length)
				way.come(s)
				back := time.Now()
				for !good() {
					if time.Since(back) > 20*time.Second {
						t.Fatal("no call went through")
					}
				}
				took := time.Since(back)
				close(stop)
				<-called
				t.Logf("the first good call %v after its end", took.Round(time.Millisecond))
				if took > 2*time.Second {
					t.Errorf("the first good call came %v after the end of the outage", took)
				}
			})
		}
	}
}
