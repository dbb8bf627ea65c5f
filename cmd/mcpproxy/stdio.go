package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"mcpproxy/admin"
	"mcpproxy/terminal"

	"github.com/spf13/cobra"
)

// startLimit bounds how long a proxy that was started may take to answer.
const startLimit = 10 * time.Second

func stdioCommand(o *options) *cobra.Command {
	var only string
	c := &cobra.Command{Use: "stdio", Short: "Bridge a client's standard streams to the running proxy, starting one if there is none",
		Long: `Bridges standard input and output to the running proxy, for MCP clients that
start a command. Without a proxy one is started, which goes on when the bridge
ends. When the input ends, what was asked before is still answered, within a
minute; then the bridge ends.`,
		Example: `  {"mcpServers": {"proxy": {"command": "mcpproxy", "args": ["stdio"]}}}
  echo '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' | mcpproxy stdio`,
		Args: exactly(), RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			if client.Running(c.Context()) {
				o.sayUnusable(c.Context(), c.ErrOrStderr())
			} else {
				file, err := o.load()
				if err != nil {
					return err
				}
				for _, problem := range file.Problems {
					terminal.PrintError(c.ErrOrStderr(), "mcpproxy", problem)
				}
				if err := o.startServer(c.Context(), client); err != nil {
					return err
				}
			}
			// A terminal that goes away ends the bridge, as SIGTERM does.
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP)
			defer stop()
			return client.Bridge(ctx, only, os.Stdin, os.Stdout)
		}}
	c.Flags().StringVar(&only, "upstream", "", "show this upstream alone, with its names unchanged")
	return c
}

// startServer starts a proxy that outlives this process.
func (o *options) startServer(ctx context.Context, client *admin.Client) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	logFile := filepath.Join(filepath.Dir(o.store), "serve.log")
	if err := os.MkdirAll(filepath.Dir(logFile), 0o700); err != nil {
		return err
	}
	log, err := os.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	server := exec.Command(program, "serve", "--config", o.config, "--store", o.store, "--socket", o.socketPath(), "--listen", "127.0.0.1:0")
	server.Stderr = log
	detach(server)
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting the proxy: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !client.Running(ctx) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the proxy that was started does not answer; its log is %s", logFile)
		case <-poll.C:
		}
	}
	return server.Process.Release()
}
