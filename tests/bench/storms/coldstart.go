package storms

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
)

// started is what a start came to.
type started struct {
	took, cpu          time.Duration
	fsyncs, goroutines int
	heap, settled      int64
}

// Serve runs an MCP server that takes every token. It says its address on out and ends
// when in does.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	server, err := oauthserver.Start(ctx, oauthserver.Options{NoAuth: true})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, server.MCPURL())
	_, _ = io.Copy(io.Discard, in)
	return server.Close()
}

// coldStart starts upstreams whose tokens are stored, and waits until each is connected.
func coldStart(ctx context.Context, n int, command []string) (r started, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	directory, err := os.MkdirTemp("", "storm")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(directory)
	url, stop, err := serving(ctx, command)
	if err != nil {
		return r, err
	}
	defer stop()
	configs := configured(n, url)
	if err := stored(ctx, directory, configs); err != nil {
		return r, err
	}

	goroutines := runtime.NumGoroutine()
	watch := watched()
	begin, used := time.Now(), cpu()
	p, err := start(ctx, directory, configs)
	if err != nil {
		return r, err
	}
	before := p.kept.Commits()
	for _, u := range p.manager.All() {
		if _, err := u.Machine().Wait(ctx, func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected }); err != nil {
			return r, errors.Join(fmt.Errorf("%s is %s: %w", u.Name(), u.Snapshot().Region(states.Connection).State, err), p.close())
		}
	}
	r.took, r.cpu = time.Since(begin), cpu()-used
	r.goroutines = settle(ctx) - goroutines
	r.heap = watch.end()
	r.fsyncs = 2 * (p.kept.Commits() - before)
	r.settled = heap() - watch.before
	return r, p.close()
}

// settle returns how many goroutines there are once their number stays.
func settle(ctx context.Context) int {
	n, since := runtime.NumGoroutine(), time.Now()
	for time.Since(since) < 2*time.Second && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		if now := runtime.NumGoroutine(); now != n {
			n, since = now, time.Now()
		}
	}
	return n - 1 // the watch
}

// stored leaves a store with a token for each upstream.
func stored(ctx context.Context, directory string, configs []upstream.Config) error {
	kept, err := open(ctx, directory)
	if err != nil {
		return err
	}
	errs := make([]error, len(configs))
	now := time.Now()
	each(len(configs), 256, func(i int) {
		token := credential.Token{Generation: 1, Access: credential.NewSecret(fmt.Sprint("access ", i)), Refresh: credential.NewSecret(fmt.Sprint("refresh ", i)),
			Resource: configs[i].URL, ObtainedAt: now, ExpiresAt: now.Add(12 * time.Hour)}
		errs[i] = kept.SaveToken(configs[i].Name, token, 0, func() bool { return true })
	})
	return errors.Join(append(errs, kept.Close())...)
}

// serving runs the server until stop is called.
func serving(ctx context.Context, command []string) (url string, stop func(), err error) {
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := child.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := child.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = in.Close()
		_ = child.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return strings.TrimSpace(line), stop, nil
}
