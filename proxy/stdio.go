package proxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"mcpproxy/jsonrpc"
)

// lines is a stream over standard output.
type lines struct{ writer *jsonrpc.LineWriter }

func (l lines) send(m *jsonrpc.Message) bool { return l.writer.Write(m) == nil }

// batch sends what there is to answer to a batch. Like send it cannot help a client
// that does not read.
func (l lines) batch(answers []*jsonrpc.Message, err error) {
	switch {
	case err != nil:
		l.send(refusal(err))
	case len(answers) > 0:
		_ = l.writer.WriteBatch(answers)
	}
}

// restLimit is how long requests that were read may take after the client has ended
// its input: as long as clients commonly wait for an answer. One that will not wait
// for this program's end ends it (MCP 2025-11-25 lifecycle, shutdown).
const restLimit = time.Minute

// ServeStdio serves one client on a pair of streams (MCP 2025-11-25 transports,
// stdio) until ctx ends, or in does and what was read of it is answered. only names
// the one upstream to show, or is empty for all. It returns when every request has
// been answered or cancelled: a request that takes longer than a minute after the
// end of in is answered with an error.
func (s *Server) ServeStdio(ctx context.Context, only string, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	c := s.newSession(view{only: only})
	on := lines{jsonrpc.NewLineWriter(out)}
	defer c.attach(on)()
	var running sync.WaitGroup
	defer running.Wait()
	defer c.close()
	defer cancel()
	reader := jsonrpc.NewLineReader(in)
	for {
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			c.fallSilent()
			limit := time.AfterFunc(restLimit, c.close)
			running.Wait()
			limit.Stop()
			return nil
		}
		if err != nil {
			return err
		}
		m, err := jsonrpc.Decode(line)
		switch {
		case errors.Is(err, jsonrpc.ErrBatch) && c.takesBatches():
			running.Go(func() { on.batch(c.handleBatch(ctx, line, on)) })
		case err != nil:
			on.send(refusal(err))
		case m.IsRequest():
			running.Go(func() {
				if answer := c.handle(ctx, m, on); answer != nil {
					on.send(answer)
				}
			})
		default:
			c.receive(ctx, m)
		}
	}
}
