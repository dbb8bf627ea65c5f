package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/client/transport"
)

// Command is a child process that speaks MCP on its standard streams.
type Command struct {
	Path string
	Args []string
	// Env is the whole environment, as in os/exec.
	Env []string
	Dir string
}

// stopPause is how long a child has to end after its input was closed, and then
// again after it was asked to terminate (MCP 2025-11-25 lifecycle, shutdown).
const stopPause = 2 * time.Second

// process is the child behind a stdio connection.
type process struct {
	session *session
	// batches says that it may put several messages into one line.
	batches atomic.Bool
	command *exec.Cmd
	stdin   io.WriteCloser
	exited  chan struct{}
	readers sync.WaitGroup
}

// startProcess starts a child process.
func startProcess(c Command, logger *slog.Logger) (*process, error) {
	command := exec.Command(c.Path, c.Args...)
	command.Env, command.Dir = c.Env, c.Dir
	ownGroup(command)
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Pipes of our own: Wait must not close them under a reader.
	out, outEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	log, logEnd, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, out.Close(), outEnd.Close())
	}
	command.Stdout, command.Stderr = outEnd, logEnd
	err = command.Start()
	_, _ = outEnd.Close(), logEnd.Close()
	if err != nil {
		_, _, _ = out.Close(), log.Close(), stdin.Close() // the command's error is the one to be told
		return nil, fmt.Errorf("the command could not be started: %w", err)
	}
	p := &process{command: command, stdin: stdin, exited: make(chan struct{})}
	said := &childLines{lines: jsonrpc.NewLineReader(out), from: out, batches: &p.batches}
	p.session = newSession(transport.NewIO(said, &unpackingWriter{stdin, jsonrpc.NewLineWriter(stdin)}, io.NopCloser(nil)))
	said.end = p.silent
	p.readers.Go(func() { logLines(log, logger) })
	p.readers.Go(p.reap)
	return p, nil
}

// reap waits for the child's end and says how it went.
func (p *process) reap() {
	err := p.command.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	p.session.broke(fmt.Errorf("the child process ended: %w", err))
	close(p.exited)
}

// endPause is how long a child that says no more has to end.
const endPause = time.Second

// silent is called when the child says no more. Mostly it ends at that moment, and how
// it ended says more.
func (p *process) silent(err error) {
	pause := time.NewTimer(endPause)
	defer pause.Stop()
	select {
	case <-p.exited:
	case <-pause.C:
	}
	p.session.broke(err)
}

// Close closes the child's input, and ends it when it does not end by itself.
func (p *process) Close(ctx context.Context) {
	_ = p.stdin.Close()
	for _, end := range []func(*exec.Cmd){terminate, kill} {
		pause := time.NewTimer(stopPause)
		select {
		case <-p.exited:
		case <-pause.C:
			end(p.command)
		}
		pause.Stop()
	}
	<-p.exited
	kill(p.command) // what the child left behind in its group
	p.readers.Wait()
	p.session.Close(ctx)
}

// childLines is what a child says, a message a line, until it says no more. It
// bounds the lines, takes batches apart, packs the messages, and tells when and why
// it ended.
type childLines struct {
	lines   *jsonrpc.LineReader
	from    io.Closer
	batches *atomic.Bool
	end     func(error)
	rest    []byte
}

func (r *childLines) Read(buffer []byte) (int, error) {
	for len(r.rest) == 0 {
		line, err := r.lines.Next()
		if err != nil {
			_ = r.from.Close()
			if errors.Is(err, io.EOF) {
				err = errors.New("the child process closed its output")
			}
			r.end(err)
			return 0, io.EOF
		}
		parts := []json.RawMessage{line}
		if line[0] == '[' && r.batches.Load() {
			if batch, err := jsonrpc.Split(line); err == nil {
				parts = batch
			}
		}
		for _, part := range parts {
			r.rest = append(append(r.rest, packMessage(part)...), '\n')
		}
	}
	n := copy(buffer, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// logLines logs what the child says besides the protocol.
func logLines(from io.ReadCloser, logger *slog.Logger) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, 8<<10)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		logger.Info("child process", "stderr", string(line))
	}
}
