package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mcpproxy/admin/client"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

// startLimit bounds how long a proxy that was started may take to answer: longer than it
// waits for the store.
const startLimit = holderLimit + 10*time.Second

func stdioCommand(o *options) *cobra.Command {
	var only string
	c := &cobra.Command{Use: "stdio", Short: "Bridge a client's standard streams to the running proxy, starting one if there is none",
		Long: `Bridges standard input and output to the running proxy, for MCP clients that
start a command. Without a proxy one is started, which goes on when the bridge
ends, and gives way to one that you start with mcpproxy serve. When the proxy ends,
the bridge goes on at the next one, or starts it: the client need not initialize
again, and a call that was on its way is answered with an error. When the input
ends, what was asked before is still answered, within a minute; then the bridge
ends.`,
		Example: `  {"mcpServers": {"proxy": {"command": "mcpproxy", "args": ["stdio"]}}}
  echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | mcpproxy stdio`,
		Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			// A terminal that goes away ends the bridge, as SIGTERM does.
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP)
			defer stop()
			running, told := o.client(), false
			ready := func(ctx context.Context) error {
				err := o.ensureServer(ctx, running)
				if err == nil && !told {
					o.sayUnusable(ctx, c.ErrOrStderr(), only)
				} else if err == nil {
					terminal.Printf(c.ErrOrStderr(), "the proxy ended; going on at the next one\n")
				}
				told = true
				return err
			}
			return running.Bridge(ctx, client.Bridge{Only: only, In: os.Stdin, Out: os.Stdout, Ready: ready})
		}}
	c.Flags().StringVar(&only, "upstream", "", "show this upstream alone, with its names unchanged")
	return c
}

// ensureServer returns when a proxy answers that serves clients, and starts one where there
// is none.
func (o *options) ensureServer(ctx context.Context, running *client.Client) error {
	if answers, err := serves(ctx, running); answers || err != nil {
		return err
	}
	if _, err := o.load(); err != nil {
		return err
	}
	return o.startServer(ctx, running)
}

// serves reports whether a proxy answers that serves clients.
func serves(ctx context.Context, running *client.Client) (bool, error) {
	who, err := running.Who(ctx)
	if errors.Is(err, client.ErrNotRunning) {
		return false, nil
	}
	return err == nil && !who.Temporary, err
}

// startServer starts a proxy that outlives this process.
func (o *options) startServer(ctx context.Context, running *client.Client) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	logFile := filepath.Join(filepath.Dir(o.store), "serve.log")
	err = os.MkdirAll(filepath.Dir(logFile), 0o700)
	log, opened := os.OpenFile(logFile, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err := cmp.Or(err, opened); err != nil {
		return fmt.Errorf("no proxy can be started, as its log cannot be written: %w; use another store (--store)", err)
	}
	defer log.Close()
	began, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	server := exec.Command(program, "serve", "--config", o.config, "--store", o.store, "--socket", o.socketPath(),
		"--listen", "127.0.0.1:0", "--started")
	server.Stderr = log
	detach(server)
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting the proxy: %w", err)
	}
	ended := make(chan struct{})
	go func() { // it outlives this process, mostly
		defer close(ended)
		_ = server.Wait()
	}()
	for deadline := time.Now().Add(startLimit); ; {
		over := false
		select {
		case <-ended: // another one was quicker, or it could not start
			over = true
		default:
		}
		switch answers, err := serves(ctx, running); {
		case answers || err != nil:
			return err
		case over:
			return fmt.Errorf("the proxy that was started ended: %s; its log is %s", lastWord(io.NewSectionReader(log, began, maxLog)), logFile)
		}
		if !await(ctx, deadline) {
			return errors.Join(ctx.Err(), fmt.Errorf("the proxy that was started does not answer; its log is %s", logFile))
		}
	}
}

// maxLog bounds what is read of the log of a proxy that could not start.
const maxLog = 1 << 20

// lastWord is the error that a command has ended with, as it wrote that to its log.
func lastWord(log io.Reader) string {
	const begins = "\nmcpproxy: "
	text, _ := io.ReadAll(log) // its name is told
	text = append([]byte("\n"), text...)
	if at := bytes.LastIndex(text, []byte(begins)); at >= 0 {
		return strings.TrimSpace(string(text[at+len(begins):]))
	}
	return "it does not say why"
}
