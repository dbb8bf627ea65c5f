// Package down measures what upstreams cost that are down: a real process whose
// upstreams all fail for ever, each in one way.
//
// It promises that what it prints is the kernel's count (/proc/PID) of the program, from
// its start on, and that the program is ended and waited for.
package down

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say what is measured.
type Options struct {
	// Program is the mcpproxy to run.
	Program string
	// Upstreams is how many there are; For how long they are watched, with a line each Every.
	Upstreams  int
	For, Every time.Duration
	// Kinds are the ways to fail, taken in turn; see [Kinds].
	Kinds []string
}

// Run measures and prints a table to out.
func Run(ctx context.Context, o Options, out io.Writer) error {
	scratch, err := os.MkdirTemp("", "down")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	servers, err := open()
	if err != nil {
		return err
	}
	defer servers.close()
	config := filepath.Join(scratch, "config.json")
	if err := configure(config, servers, o); err != nil {
		return err
	}
	p, err := start(o.Program, scratch, config)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d upstreams: %s\n\n", o.Upstreams, strings.Join(o.Kinds, ", "))
	return errors.Join(p.watch(ctx, o, servers, out), p.stop())
}

// configure writes a configuration of upstreams that fail, the kinds one after the other.
func configure(path string, s *servers, o Options) error {
	entries := map[string]any{}
	for n := range o.Upstreams {
		entry, err := s.entry(o.Kinds[n%len(o.Kinds)], n)
		if err != nil {
			return err
		}
		entries[fmt.Sprintf("down-%05d", n)] = entry
	}
	text, err := json.Marshal(map[string]any{"mcpServers": entries})
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// program is the proxy that is measured.
type program struct {
	command    *exec.Cmd
	log, store string
	said       *os.File
}

func start(path, scratch, config string) (*program, error) {
	p := &program{log: filepath.Join(scratch, "log"), store: filepath.Join(scratch, "store.db")}
	var err error
	if p.said, err = os.Create(p.log); err != nil {
		return nil, err
	}
	p.command = exec.Command(path, "serve", "--no-browser", "--listen", "127.0.0.1:0", "--config", config, "--store", p.store)
	p.command.Stdout, p.command.Stderr = p.said, p.said
	p.command.Env = append(os.Environ(), "MCPPROXY_KEY_FILE="+filepath.Join(scratch, "key"), "HOME="+scratch, "XDG_DATA_HOME="+scratch)
	if err := p.command.Start(); err != nil {
		return nil, errors.Join(err, p.said.Close())
	}
	return p, nil
}

// stop ends the program, which is to end by itself when it is asked.
func (p *program) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(time.Minute, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	return errors.Join(p.command.Wait(), p.said.Close())
}

// count is what the program has used since it began.
type count struct {
	at                            time.Time
	cpu                           time.Duration
	written, log, store, resident int64
	met                           int64
}

const header = "| after | CPU of one core | written to disk | log | store | resident | requests met |\n|---|---|---|---|---|---|---|\n"

// watch prints what the program used in each interval.
func (p *program) watch(ctx context.Context, o Options, s *servers, out io.Writer) error {
	begun := time.Now()
	last := count{at: begun}
	fmt.Fprint(out, header)
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for time.Since(begun)+o.Every/2 < o.For {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, err := p.count()
		if err != nil {
			return fmt.Errorf("the program has ended: %w\n%s", err, p.end())
		}
		now.met = s.met.Load()
		passed := now.at.Sub(last.at)
		fmt.Fprintf(out, "| %s | %.1f %% | %.0f kB/s | %.2f MB, %.1f kB/s | %.1f MB | %.0f MB | %.0f/s |\n", now.at.Sub(begun).Round(time.Second),
			100*(now.cpu-last.cpu).Seconds()/passed.Seconds(), rate(now.written-last.written, passed)/1e3, float64(now.log)/1e6,
			rate(now.log-last.log, passed)/1e3, float64(now.store)/1e6, float64(now.resident)/1e6, rate(now.met-last.met, passed))
		last = now
	}
	return nil
}

func rate(n int64, passed time.Duration) float64 { return float64(n) / passed.Seconds() }

// ticks is USER_HZ, which is 100 on every Linux.
const ticks = 100

func (p *program) count() (c count, err error) {
	c.at = time.Now()
	stat, err := p.proc("stat")
	if err != nil {
		return c, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:15] { // user and system, its own and of children that have ended
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return c, err
		}
		c.cpu += time.Duration(n) * time.Second / ticks
	}
	io, err := p.proc("io")
	if err != nil {
		return c, err
	}
	status, err := p.proc("status")
	if err != nil {
		return c, err
	}
	c.written, c.resident = member(io, "write_bytes:"), member(status, "VmRSS:")<<10
	c.log, c.store = size(p.log), size(p.store)
	return c, nil
}

func (p *program) proc(name string) ([]byte, error) {
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.command.Process.Pid, name))
}

func member(of []byte, name string) int64 {
	_, rest, _ := bytes.Cut(of, []byte("\n"+name))
	n, _ := strconv.ParseInt(strings.Fields(string(rest) + " 0")[0], 10, 64)
	return n
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// end is the last that the program said.
func (p *program) end() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-2000):])
}
