package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Bridge connects an MCP client's standard streams with the proxy at a socket.
type Bridge struct {
	// Only names the one upstream to show, or is empty for all.
	Only string
	In   io.Reader
	Out  io.Writer
	// Ready is called before each connection, and returns when a proxy answers.
	Ready func(context.Context) error
}

// lostLimit is how many connections in a row may end within lostSoon before a bridge gives
// up; the pauses between them grow by lostPause.
const (
	lostLimit = 10
	lostSoon  = 10 * time.Second
	lostPause = 100 * time.Millisecond
)

// Bridge runs a bridge until ctx ends, or its input does and what was asked is answered.
// When the proxy goes away it goes on at the next one: what that one has to know, and what
// can be asked twice, is said again; a call that was on its way is answered with an error,
// as nobody knows what became of it.
func (c *Client) Bridge(ctx context.Context, b Bridge) error {
	t := &talk{out: b.Out, input: make(chan []byte)}
	go t.read(b.In) // ends with the input, or with the process
	for lost := 0; ; lost++ {
		began := time.Now()
		ended, err := c.connect(ctx, b, t)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > lostSoon {
			lost = 0
		}
		if ended || err != nil && !errors.Is(err, ErrNotRunning) {
			return errors.Join(err, t.giveUp(everything))
		}
		if lost == lostLimit {
			if err == nil {
				err = fmt.Errorf("%w at %s: it ends each connection; its log says why", ErrNotRunning, c.socket)
			}
			return errors.Join(err, t.giveUp(everything))
		}
		if err := t.giveUp(once); err != nil {
			return err
		}
		pause(ctx, time.Duration(lost+1)*lostPause)
	}
}

// connect is one connection of a bridge. It reports whether the client has ended.
func (c *Client) connect(ctx context.Context, b Bridge, t *talk) (ended bool, err error) {
	if err := b.Ready(ctx); err != nil {
		return true, err
	}
	conn, answers, err := c.upgrade(ctx, b.Only)
	if err != nil {
		return false, err
	}
	ended, err = t.carry(ctx, conn, answers)
	if ended {
		err = errors.Join(err, t.refused)
	}
	return ended, err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// upgrade opens a connection that carries MCP's lines.
func (c *Client) upgrade(ctx context.Context, only string) (*net.UnixConn, *bufio.Reader, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, nil, c.unreachable(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://proxy/v1/stdio?upstream="+url.QueryEscape(only), nil)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "mcp")
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := request.Write(conn); err != nil {
		return nil, nil, errors.Join(c.gone(ctx, err), conn.Close())
	}
	answers := bufio.NewReader(conn)
	response, err := http.ReadResponse(answers, request)
	switch {
	case err != nil:
		return nil, nil, errors.Join(c.gone(ctx, err), conn.Close())
	case response.StatusCode != http.StatusSwitchingProtocols:
		return nil, nil, errors.Join(fmt.Errorf("%w at %s that serves clients: it answers %s", ErrNotRunning, c.socket, response.Status),
			conn.Close())
	}
	return conn.(*net.UnixConn), answers, nil
}
