package wire

import (
	"context"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// Stdio returns the connection to a child process, which its handshake starts, of
// whatever revision the child speaks. known is the one that it spoke last time, or
// empty; it is tried first. The handshake returns an error that wraps exec.ErrNotFound or
// fs.ErrPermission where the command cannot be run. failures is how many attempts have
// failed before this one.
func Stdio(c Command, known string, failures int) Conn {
	return &child{command: c, known: known, failures: failures}
}

// child is a connection to a child process.
type child struct {
	Conn    // of its era; nil until the handshake
	process *process

	command  Command
	known    string
	failures int
}

// Handshake finds out which era the child is of (MCP 2026-07-28 transports, stdio:
// backward compatibility). Servers of the earlier one answer the first question
// with one error or another, or never, or end; those that end are started again
// and asked in their way. Where attempts have failed already, each starts the child once,
// and they begin with the one way and the other by turns.
func (c *child) Handshake(ctx context.Context, client Client) (Server, error) {
	handshaken := c.known != "" && !mcp.IsModernProtocol(c.known) || c.known == "" && c.failures%2 == 1
	server, err := c.start(ctx, client, handshaken, false)
	if errors.Is(err, ErrLost) && !handshaken && c.failures == 0 && ctx.Err() == nil {
		c.process.Close(ctx)
		return c.start(ctx, client, true, true)
	}
	return server, err
}

// start starts the process and asks it in both ways: handshaken says in which one
// first, only that there is no other.
func (c *child) start(ctx context.Context, client Client, handshaken, only bool) (Server, error) {
	var err error
	if c.process, err = startProcess(c.command); err != nil {
		return Server{}, err
	}
	s := c.process.session
	lines := newStatelessLines(s)
	ways := []way{
		{lines, func(ctx context.Context) (Server, error) { return lines.Handshake(ctx, client) }},
		{s, func(ctx context.Context) (Server, error) { return s.Handshake(ctx, client) }},
	}
	if handshaken {
		ways[0], ways[1] = ways[1], ways[0]
	}
	if only {
		ways = ways[:1]
	}
	conn, server, err := firstToAgree(ctx, ways)
	if err != nil {
		return Server{}, err
	}
	c.Conn = conn
	c.process.batches.Store(hasBatches(server.ProtocolVersion))
	s.unanswering.Store(mcp.IsModernProtocol(server.ProtocolVersion))
	return server, nil
}

// way is one kind of handshake.
type way struct {
	conn  Conn
	agree func(context.Context) (Server, error)
}

// firstToAgree tries the ways one after the other, and the second beside the first
// when that is not answered: a child that takes its time to start answers both in
// the end.
func firstToAgree(ctx context.Context, ways []way) (Conn, Server, error) {
	type outcome struct {
		way    way
		server Server
		err    error
	}
	ctx, stop := context.WithCancel(ctx)
	outcomes := make(chan outcome)
	running := 0
	try := func(w way) {
		running++
		go func() {
			server, err := w.agree(ctx)
			outcomes <- outcome{w, server, err}
		}()
	}
	defer func() {
		stop()
		for ; running > 0; running-- {
			<-outcomes
		}
	}()
	try(ways[0])
	silent := time.NewTimer(probeLimit)
	defer silent.Stop()
	var failures refusals
	for next := 1; running > 0; {
		select {
		case o := <-outcomes:
			running--
			if o.err == nil {
				return o.way.conn, o.server, nil
			}
			failures = append(failures, o.err)
			if errors.Is(o.err, ErrLost) || errors.Is(o.err, errNoCommonRevision) || ctx.Err() != nil {
				return nil, Server{}, o.err
			}
		case <-silent.C:
		}
		if next < len(ways) {
			try(ways[next])
			next++
		}
	}
	return nil, Server{}, failures
}

func (c *child) Close(ctx context.Context) {
	if c.process != nil {
		c.process.Close(ctx)
	}
}
