package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"mcpproxy/jsonrpc"
	children "mcpproxy/upstream/child"
)

// Command is a child process that speaks MCP on its standard streams.
type Command struct {
	Path string
	Args []string
	// Env is the whole environment, as in os/exec.
	Env []string
	Dir string
	// Said is given each line that the child says besides messages: what it writes to
	// its standard error, and to its standard output where that is no message; and what
	// there is to say of its start and its end.
	Said func(stream children.Stream, line string)
	// Guard ends the child's process group if this process is killed. Nil is none.
	Guard *children.Guard
}

// stopPause is how long a child has to end after its input was closed, and then
// again after it was asked to terminate (MCP 2025-11-25 lifecycle, shutdown).
const stopPause = 2 * time.Second

// endPause is how long a child that says no more has to end, and how long what it left
// behind may hold its streams open after it has ended.
const endPause = time.Second

// wordsPause is how long the last words of a child that has ended are waited for.
const wordsPause = 100 * time.Millisecond

// process is the child behind a stdio connection.
type process struct {
	session *session
	// batches says that it may put several messages into one line.
	batches atomic.Bool
	command *exec.Cmd
	said    func(stream children.Stream, line string)
	guard   *children.Guard
	stdin   io.WriteCloser
	out     *os.File
	log     *os.File
	writing chan write
	free    chan struct{}  // holds one while nothing is being written
	exited  chan struct{}  // closed when it has ended
	told    chan struct{}  // closed when that was said
	readers sync.WaitGroup // of the child's streams
	work    sync.WaitGroup
}

// write is a line on its way to the child.
type write struct {
	message *jsonrpc.Message
	done    chan error // has room for one
}

// startProcess starts a child process.
func startProcess(c Command) (*process, error) {
	path, err := children.Find(c.Path, c.Env)
	if err != nil {
		return nil, children.Explain(c.Path, c.Dir, err)
	}
	command := exec.Command(path, c.Args...)
	command.Args[0] = c.Path
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
		return nil, children.Explain(path, c.Dir, err)
	}
	p := &process{command: command, said: c.Said, guard: c.Guard, stdin: stdin, out: out, log: log, writing: make(chan write),
		free: make(chan struct{}, 1), exited: make(chan struct{}), told: make(chan struct{})}
	started := fmt.Sprintf("as process %d", command.Process.Pid)
	if err := p.guard.Watch(command.Process.Pid); err != nil {
		started += "; " + err.Error()
	}
	p.said(children.Started, started)
	p.free <- struct{}{}
	p.session = newSession(p.send)
	p.readers.Go(func() {
		err := p.read()
		p.work.Go(func() { p.silent(err) })
	})
	p.readers.Go(p.listen)
	p.work.Go(p.reap)
	p.work.Go(p.write)
	return p, nil
}

// reap waits for the child's end and says how it went. What still holds the child's
// streams then may not hold up anything here.
func (p *process) reap() {
	err := p.command.Wait()
	if err == nil {
		err = errors.New("exit status 0")
	}
	close(p.exited)
	read := make(chan struct{})
	p.work.Go(func() {
		defer close(read)
		p.readers.Wait()
	})
	pause := time.NewTimer(wordsPause)
	select { // what it said last is mostly there, and says why
	case <-read:
	case <-pause.C:
	}
	p.session.broke(fmt.Errorf("the child process ended: %w", err))
	p.said(children.Ended, err.Error())
	close(p.told)
	pause.Reset(endPause)
	defer pause.Stop()
	select {
	case <-read:
	case <-pause.C:
	}
	_, _, _ = p.out.Close(), p.log.Close(), p.stdin.Close()
}

// silent is called when the child says no more. Mostly it ends at that moment, and how
// it ended says more.
func (p *process) silent(err error) {
	p.ends()
	p.session.broke(err)
}

// ends waits for the child's end for a moment.
func (p *process) ends() {
	pause := time.NewTimer(endPause)
	defer pause.Stop()
	select {
	case <-p.told:
	case <-pause.C:
	}
}

// send gives a message to the child, which may read it when it likes: the caller waits
// for that within ctx. What has begun to be written is written to its end.
func (p *process) send(ctx context.Context, m *jsonrpc.Message) error {
	select {
	case <-p.free:
	case <-ctx.Done():
		return errUnsent
	case <-p.told:
		return p.session.reason
	}
	w := write{m, make(chan error, 1)}
	select {
	case p.writing <- w:
	case <-p.told:
		p.free <- struct{}{}
		return p.session.reason
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// write writes what is sent, a line after the other, while the child lives.
func (p *process) write() {
	lines := jsonrpc.NewLineWriter(p.stdin)
	for {
		select {
		case w := <-p.writing:
			err := lines.Write(w.message)
			if err != nil {
				p.ends() // its end says more
				err = fmt.Errorf("%w: %w", ErrLost, err)
			}
			w.done <- err
			p.free <- struct{}{}
		case <-p.exited:
			return
		}
	}
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
	p.guard.Ended(p.command.Process.Pid)
	p.readers.Wait()
	p.work.Wait()
	p.session.Close(ctx)
}

// read takes what the child says, a message a line, until it says no more.
func (p *process) read() error {
	defer p.out.Close()
	lines := jsonrpc.NewLineReader(p.out)
	var noise flood
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("the child process closed its output")
		}
		if err != nil {
			return err
		}
		parts := []json.RawMessage{line}
		if line[0] == '[' && p.batches.Load() {
			if batch, err := jsonrpc.Split(line); err == nil {
				parts = batch
			}
		}
		for _, part := range parts {
			if m, err := jsonrpc.Decode(part); err == nil {
				p.session.received(m)
			} else {
				p.said(children.Stdout, string(part[:min(len(part), longestSaid)]))
				noise.slow(len(part), p.exited)
			}
		}
	}
}

// longestSaid bounds a line that is no message, in bytes.
const longestSaid = 8 << 10

// listen hands on what the child says on its standard error.
func (p *process) listen() {
	defer p.log.Close()
	lines := bufio.NewReaderSize(p.log, longestSaid)
	var noise flood
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		p.said(children.Stderr, string(line))
		noise.slow(len(line), p.exited)
	}
}
