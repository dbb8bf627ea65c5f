package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"mcpproxy/store"
	"mcpproxy/tests/journals"
)

// startLimit bounds how long a server may take until it answers.
const startLimit = 15 * time.Second

// served is the real proxy in front of the fixture, both as processes.
type served struct {
	url       string
	processes []*exec.Cmd
	// directory has the proxy's store.
	directory string
}

// serve starts a fixture and the proxy in front of it, on free ports.
func (p *programs) serve(ctx context.Context, kind fixture, directory string) (*served, error) {
	behind, front, err := freePorts()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(directory, "config.json")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{"mcpServers": {"suite": {"url": "http://%s"}}}`, behind), 0o600); err != nil {
		return nil, err
	}
	s := &served{url: "http://" + front + "/mcp/suite", directory: directory}
	if err := s.start(ctx, directory, p.fixture, "-http="+behind, fmt.Sprintf("-stateless=%t", kind == stateless)); err != nil {
		return nil, err
	}
	if err := await(ctx, "http://"+behind); err != nil {
		s.stop()
		return nil, err
	}
	err = s.start(ctx, directory, p.proxy, "serve", "--config", config, "--store", filepath.Join(directory, "store.db"), "--listen", front,
		"--no-browser")
	if err == nil {
		err = awaitTools(ctx, s.url)
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *served) start(ctx context.Context, directory, program string, args ...string) error {
	log, err := os.Create(filepath.Join(directory, filepath.Base(program)+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.CommandContext(ctx, program, args...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "MCPPROXY_KEY_FILE="+filepath.Join(directory, "key"))
	if err := command.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, command)
	return nil
}

// stop ends the processes and waits for them.
func (s *served) stop() {
	for _, process := range s.processes {
		_ = process.Process.Kill()
		_ = process.Wait()
	}
}

// explained ends the processes, and replays the journals that the proxy left.
func (s *served) explained() error {
	s.stop()
	kept, err := store.Open(context.Background(), filepath.Join(s.directory, "store.db"),
		store.Options{Keys: store.FileKeys(filepath.Join(s.directory, "key"))})
	if err != nil {
		return err
	}
	return errors.Join(journals.Stored(kept), kept.Close())
}

func freePorts() (a, b string, err error) {
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer first.Close()
	second, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer second.Close()
	return first.Addr().String(), second.Addr().String(), nil
}

// await polls until a server answers at all.
func await(ctx context.Context, url string) error {
	return poll(ctx, url, func() bool {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
}

// awaitTools polls until the proxy knows its upstream's tools.
func awaitTools(ctx context.Context, url string) error {
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	return poll(ctx, url, func() bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(list)))
		if err != nil {
			return false
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
			"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"} {
			request.Header.Set(name, value)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var body bytes.Buffer
		_, err = body.ReadFrom(response.Body)
		return err == nil && bytes.Contains(body.Bytes(), []byte(`"inputSchema"`))
	})
}

func poll(ctx context.Context, url string, there func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer as it should within %s", url, startLimit)
		case <-tick.C:
		}
	}
	return nil
}
