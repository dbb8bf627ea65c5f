package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// way is one hop between caller and server, running.
type way struct {
	name    string
	caller  caller
	process *process // nil for none
	// peer is another user's proxy.
	peer bool
}

func (w *way) stop() {
	w.caller.close()
	if w.process != nil {
		w.process.stop()
	}
}

// plan is what is needed to start the ways.
type plan struct {
	scratch  string
	self     string // this program, which has the hops of [Hop]
	mcpproxy string
	peers    string // the directory of the npm packages, or empty
	server   string // the server's address
}

// freeAddress is a loopback address that nobody uses at this moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// prepare builds mcpproxy, and installs the peers where npm is there.
func prepare(ctx context.Context, p *plan, directory string, peers bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.self, p.mcpproxy = self, filepath.Join(p.scratch, "mcpproxy.program")
	if err := do(ctx, filepath.Join(directory, "..", ".."), "go", "build", "-o", p.mcpproxy, "mcpproxy/cmd/mcpproxy"); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil || !peers {
		return nil
	}
	p.peers = filepath.Join(directory, "peers")
	if _, err := os.Stat(filepath.Join(p.peers, "node_modules", ".bin", "mcp-hub")); err == nil {
		return nil
	}
	return do(ctx, p.peers, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
}

func do(ctx context.Context, directory, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = directory
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

// ways starts all of them. The first is none, the second the floor.
func (p *plan) ways(ctx context.Context) ([]*way, error) {
	starts := []func(context.Context) (*way, error){p.direct, p.reverse, p.session, p.stateless, p.typed}
	if p.peers != "" {
		starts = append(starts, p.remote, p.supergateway, p.hub)
	}
	var all []*way
	for _, begin := range starts {
		w, err := begin(ctx)
		if err != nil {
			for _, w := range all {
				w.stop()
			}
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func (p *plan) direct(ctx context.Context) (*way, error) {
	c, err := sessionCaller(ctx, p.server+"/session", "echo")
	return &way{name: "direct", caller: c}, err
}

// directory is a way's own.
func (p *plan) directory(name string) (string, error) {
	directory := filepath.Join(p.scratch, strings.ReplaceAll(name, " ", "-"))
	return directory, os.MkdirAll(directory, 0o700)
}

// listening starts a program that listens, and connects to it.
func (p *plan) listening(ctx context.Context, name, tool, program string, args []string, connect func(context.Context, string, string) (caller, error), url string) (*way, error) {
	directory, err := p.directory(name)
	if err != nil {
		return nil, err
	}
	running, err := start(directory, false, program, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &way{name: name, process: running}
	if err := until(ctx, 20*time.Second, func() (err error) { w.caller, err = connect(ctx, url, tool); return err }); err != nil {
		running.stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, running.said())
	}
	return w, nil
}

func (p *plan) reverse(ctx context.Context) (*way, error) {
	return p.hop(ctx, "ReverseProxy", "reverse")
}

func (p *plan) typed(ctx context.Context) (*way, error) { return p.hop(ctx, "typed relay", "typed") }

func (p *plan) hop(ctx context.Context, name, kind string) (*way, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return p.listening(ctx, name, "echo", p.self, []string{"hop", kind, address, p.server + "/session"}, sessionCaller, "http://"+address+"/session")
}

// session is mcpproxy between two sides that speak 2025-11-25.
func (p *plan) session(ctx context.Context) (*way, error) {
	return p.own(ctx, "mcpproxy", "/session", "/mcp/up", "echo", sessionCaller)
}

// stateless is mcpproxy between two sides that speak 2026-07-28, in front of all
// upstreams, so that names are changed on the way.
func (p *plan) stateless(ctx context.Context) (*way, error) {
	return p.own(ctx, "mcpproxy 2026", "/stateless", "/mcp", "up__echo", statelessCaller)
}

func (p *plan) own(ctx context.Context, name, upstream, path, tool string, connect func(context.Context, string, string) (caller, error)) (*way, error) {
	directory, err := p.directory(name)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(directory, "config.json")
	if err := writeServers(config, "up", map[string]string{"url": p.server + upstream}); err != nil {
		return nil, err
	}
	return p.listening(ctx, name, tool, p.mcpproxy, []string{"serve", "--config", config, "--store", filepath.Join(directory, "store.db"), "--listen", address}, connect, "http://"+address+path)
}

func writeServers(file, name string, server map[string]string) error {
	text, err := json.Marshal(map[string]any{"mcpServers": map[string]any{name: server}})
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func (p *plan) script(name string) string {
	return filepath.Join(p.peers, "node_modules", ".bin", name)
}

func (p *plan) remote(ctx context.Context) (*way, error) {
	return p.piped(ctx, "mcp-remote", p.script("mcp-remote"), p.server+"/session", "--allow-http", "--transport", "http-only")
}

func (p *plan) supergateway(ctx context.Context) (*way, error) {
	return p.piped(ctx, "supergateway", p.script("supergateway"), "--streamableHttp", p.server+"/session", "--logLevel", "none")
}

// piped starts a program from npm that bridges its standard streams to the server.
func (p *plan) piped(ctx context.Context, name string, args ...string) (*way, error) {
	directory, err := p.directory(name)
	if err != nil {
		return nil, err
	}
	running, err := start(directory, true, "node", args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c, err := stdioCaller(limited, running, "echo")
	if err != nil {
		running.stop()
		return nil, fmt.Errorf("%s: %w\n%s", name, err, running.said())
	}
	return &way{name: name, caller: c, process: running, peer: true}, nil
}

func (p *plan) hub(ctx context.Context) (*way, error) {
	const name = "mcp-hub"
	directory, err := p.directory(name)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(directory, "config.json")
	if err := writeServers(config, "up", map[string]string{"url": p.server + "/session"}); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	w, err := p.listening(ctx, name, "up__echo", "node", []string{p.script("mcp-hub"), "--port", port, "--config", config}, sseCaller, "http://localhost:"+port+"/mcp")
	if err == nil {
		w.peer = true
	}
	return w, err
}
