package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// provider is an authorization server's process. It answers what the tests ask of it
// under /control: whether a token is in use, to forget its dynamic clients, and to
// revoke all that it has issued.
type provider struct {
	address string
	issuer  string
	port    string
	mu      sync.Mutex
	log     bytes.Buffer
}

// reserveProvider finds its address, which the server that takes its tokens has to know
// first.
func reserveProvider(t *testing.T) *provider {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	_, port, _ := net.SplitHostPort(free.Addr().String())
	return &provider{port: port, address: "http://127.0.0.1:" + port}
}

// start runs a command with the port and the options, until it says that it listens.
func (p *provider) start(t *testing.T, command []string, options map[string]any) {
	given, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(command[0], append(command[1:], p.port, string(given))...)
	c.Env = append(os.Environ(), "NODE_ENV=test")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "workerd/") || strings.HasPrefix(lines.Text(), "stack: ") {
				continue // a connection that was closed, at length
			}
			p.mu.Lock()
			p.log.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if issuer, found := strings.CutPrefix(lines.Text(), "listening "); found && p.issuer == "" {
				p.issuer = issuer
				close(listening)
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
		_ = c.Wait()
	})
	select {
	case <-listening:
	case <-ended:
		t.Fatalf("the authorization server ended:\n%s", p.said())
	case <-time.After(time.Minute):
		t.Fatalf("the authorization server does not listen:\n%s", p.said())
	}
}

func (p *provider) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// active reports whether the authorization server stands by an access token.
func (p *provider) active(t *testing.T, token string) bool { return p.standsBy(t, "access", token) }

// renewable is active for a refresh token.
func (p *provider) renewable(t *testing.T, token string) bool { return p.standsBy(t, "refresh", token) }

func (p *provider) standsBy(t *testing.T, kind, token string) bool {
	request, err := http.NewRequest(http.MethodGet, p.address+"/control/active?kind="+kind, nil)
	if err != nil {
		t.Error(err)
		return false
	}
	request.Header.Set("Authorization", "Bearer "+token)
	return p.asked(t, request) == http.StatusOK
}

// do has the authorization server forget its clients, or revoke what it has issued.
func (p *provider) do(t *testing.T, verb string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, p.address+"/control/"+verb, nil)
	if err != nil {
		t.Fatal(err)
	}
	if status := p.asked(t, request); status >= http.StatusBadRequest {
		t.Fatalf("%s: %d", verb, status)
	}
}

func (p *provider) asked(t *testing.T, request *http.Request) int {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}
