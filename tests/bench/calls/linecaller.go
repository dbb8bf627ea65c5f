package calls

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// lineCaller speaks MCP where all answers come on one stream: a program's
// standard streams, or HTTP with server-sent events.
type lineCaller struct {
	tool string
	send func(ctx context.Context, message []byte) error
	end  func()

	mu      sync.Mutex
	waiting map[int64]chan int // by id; the length of the answer
	broken  error
}

// stdioCaller speaks to a program that is being run.
func stdioCaller(ctx context.Context, p *process, tool string) (caller, error) {
	var writing sync.Mutex
	c := &lineCaller{tool: tool, waiting: map[int64]chan int{}, end: func() { _ = p.stdin.Close() }}
	c.send = func(_ context.Context, message []byte) error {
		writing.Lock()
		defer writing.Unlock()
		_, err := p.stdin.Write(append(message, '\n'))
		return err
	}
	go c.read(bufio.NewReaderSize(p.stdout, 1<<20), "")
	return c, c.begin(ctx)
}

// sseCaller speaks HTTP with server-sent events (MCP 2024-11-05).
func sseCaller(ctx context.Context, at, tool string) (caller, error) {
	stream, end := context.WithCancel(context.WithoutCancel(ctx))
	r, err := http.NewRequestWithContext(stream, http.MethodGet, at, nil)
	if err != nil {
		end()
		return nil, err
	}
	r.Header.Set("Accept", "text/event-stream")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	response, err := client.Do(r)
	if err != nil {
		end()
		return nil, err
	}
	lines := bufio.NewReaderSize(response.Body, 1<<20)
	var endpoint string
	for endpoint == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			end()
			return nil, fmt.Errorf("%s: no endpoint came: %w", response.Status, err)
		}
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			endpoint = strings.TrimSpace(data)
		}
	}
	target, err := url.Parse(at)
	if err == nil {
		target, err = target.Parse(endpoint)
	}
	if err != nil {
		end()
		return nil, err
	}
	c := &lineCaller{tool: tool, waiting: map[int64]chan int{}, end: func() { end(); client.CloseIdleConnections() }}
	c.send = func(ctx context.Context, message []byte) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(message))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		return finish(response, 0)
	}
	go c.read(lines, "data:")
	return c, c.begin(ctx)
}

func (c *lineCaller) begin(ctx context.Context) error {
	if err := c.ask(ctx, 0, 20, []byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},`+clientInfo+`}}`)); err != nil {
		return err
	}
	if err := c.send(ctx, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)); err != nil {
		return err
	}
	return c.call(ctx, sizes[0])
}

// read hands answers to who waits for them, until the stream ends.
func (c *lineCaller) read(lines *bufio.Reader, prefix string) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			c.mu.Lock()
			c.broken = fmt.Errorf("the stream has ended: %w", err)
			for id, waiting := range c.waiting {
				close(waiting)
				delete(c.waiting, id)
			}
			c.mu.Unlock()
			return
		}
		raw, method := envelope(line)
		id, err := strconv.ParseInt(string(raw), 10, 64)
		if !bytes.HasPrefix(line, []byte(prefix)) || method != "" || err != nil {
			continue
		}
		c.mu.Lock()
		if waiting := c.waiting[id]; waiting != nil {
			delete(c.waiting, id)
			waiting <- len(line)
		}
		c.mu.Unlock()
	}
}

func (c *lineCaller) call(ctx context.Context, size int) error {
	id := ids.Add(1)
	return c.ask(ctx, id, size, request(c.tool, "", id, size))
}

func (c *lineCaller) ask(ctx context.Context, id int64, least int, message []byte) error {
	answer := make(chan int, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	broken := c.broken
	c.mu.Unlock()
	if broken != nil {
		return broken
	}
	if err := c.send(ctx, message); err != nil {
		return err
	}
	select {
	case n, ok := <-answer:
		if !ok {
			return io.ErrUnexpectedEOF
		}
		if n < least {
			return errors.New("the answer is too short")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *lineCaller) close() { c.end() }
