package proxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"mcpproxy/jsonrpc"
)

// lines is the stream of a client of standard streams.
type lines struct{ *outbox }

// encodeLine writes messages as lines.
func encodeLine(m *jsonrpc.Message, _ uint64) []byte {
	return line(m.Append(make([]byte, 0, 128+len(m.Params)+len(m.Result))))
}

// line makes a text one line.
func line(text []byte) []byte {
	joinLines(text)
	return append(text, '\n')
}

// answer sends an answer; a client that does not read loses it, and its connection.
func (l lines) answer(ctx context.Context, m *jsonrpc.Message) {
	if m != nil {
		_ = l.deliver(ctx, m)
	}
}

// batch sends what there is to answer to a batch.
func (l lines) batch(ctx context.Context, answers []*jsonrpc.Message, err error) {
	switch {
	case err != nil:
		l.answer(ctx, refusal(err))
	case len(answers) > 0:
		text := line(jsonrpc.AppendBatch(nil, answers))
		_ = l.deliverText(ctx, len(text), func(uint64) []byte { return text }) // as in answer
	}
}

// restLimit is how long requests that were read may take after the client has ended
// its input: as long as clients commonly wait for an answer. One that will not wait
// for this program's end ends it (MCP 2025-11-25 lifecycle, shutdown).
const restLimit = time.Minute

// ServeStdio serves one client on a pair of streams (MCP 2025-11-25 transports,
// stdio) until ctx or the session ends, or in does and what was read of it is answered. only names
// the one upstream to show, or is empty for all. It returns when every request has
// been answered or cancelled: a request that takes longer than a minute after the
// end of in is answered with an error. A client that does not read is given up; out
// has the deadlines of a [net.Conn] for that, or is closed, and ends in with it.
func (s *Server) ServeStdio(ctx context.Context, only string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	c, err := s.addSession(view{only: only})
	if err != nil {
		cancel()
		return err
	}
	on := c.openLines(func() { endInput(out) })
	writer := on.attach(pacedLines(out))
	var running, writing sync.WaitGroup
	writing.Go(func() {
		if writer.run(ctx, nil) != nil {
			c.close()
		}
	})
	defer writing.Wait()
	defer running.Wait()
	defer s.end(c.id)
	defer cancel()
	err = s.readLines(ctx, c, on, in, &running)
	if ctx.Err() != nil {
		return nil
	}
	select {
	case <-c.over:
		return errSessionEnded
	default:
	}
	if errors.Is(err, io.EOF) {
		c.fallSilent()
		limit := time.AfterFunc(restLimit, func() { c.cancelAll(errSessionEnded) })
		running.Wait()
		limit.Stop()
		on.close()
		writing.Wait()
		return nil
	}
	return err
}

// openLines opens the one stream of a client of standard streams; stop is called when
// the session ends.
func (c *session) openLines(stop func()) lines {
	c.mu.Lock()
	defer c.mu.Unlock()
	box := c.server.outgoing.outbox(&c.waits, false, encodeLine)
	c.streams[ownStream], c.own = box, box
	c.stops = append(c.stops, stop)
	return lines{box}
}

// endInput has reading from the other end of a connection end.
func endInput(out io.Writer) {
	if d, ok := out.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = d.SetReadDeadline(time.Unix(1, 0)) // one that has no deadlines ends by itself
	}
}

// readLines carries out what the client says until it says nothing more.
func (s *Server) readLines(ctx context.Context, c *session, on lines, in io.Reader, running *sync.WaitGroup) error {
	reader := jsonrpc.NewLineReader(in)
	for {
		line, err := reader.Next()
		if err != nil {
			return err
		}
		m, err := jsonrpc.Decode(line)
		switch {
		case errors.Is(err, jsonrpc.ErrBatch) && c.takesBatches():
			running.Go(func() {
				answers, err := c.handleBatch(ctx, ctx, line, on)
				on.batch(ctx, answers, err)
			})
		case err != nil:
			on.answer(ctx, refusal(err))
		case m.IsRequest():
			running.Go(func() { on.answer(ctx, c.handle(ctx, ctx, m, on)) })
		default:
			c.receive(m)
		}
	}
}
