package calls

import (
	"bytes"
	"context"
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

// process is a hop's program.
type process struct {
	command *exec.Cmd
	log     *os.File
	stdin   io.WriteCloser
	stdout  io.ReadCloser
}

// start runs a program in a group of its own; what it prints goes to a file in
// directory. With streams its standard streams are the caller's.
func start(directory string, streams bool, name string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(directory, filepath.Base(name)+".log"))
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.Command(name, args...), log: log}
	p.command.Dir, p.command.Stderr = directory, log
	p.command.Env = append(os.Environ(), "HOME="+directory, "XDG_CONFIG_HOME="+directory, "XDG_DATA_HOME="+directory, "XDG_STATE_HOME="+directory, "XDG_RUNTIME_DIR="+directory)
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if streams {
		if p.stdin, err = p.command.StdinPipe(); err != nil {
			return nil, err
		}
		if p.stdout, err = p.command.StdoutPipe(); err != nil {
			return nil, err
		}
	} else {
		p.command.Stdout = log
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// stop ends the program and waits for it.
func (p *process) stop() {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = p.command.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
		_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
		<-done
	}
	_ = p.log.Close()
}

// cpu is the CPU time that the process has used so far, user and system, to the
// nanosecond: the scheduler's own count for each thread.
func (p *process) cpu() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.command.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("the process %s has ended: %s", p.command.Path, p.said())
	}
	var total time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// forgetPeak begins the count of peak memory again.
func (p *process) forgetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.command.Process.Pid), []byte("5"), 0) // where it cannot, the peak is that since the start
}

// peak is the most memory that was resident since forgetPeak, in bytes.
func (p *process) peak() int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	_, rest, _ := bytes.Cut(text, []byte("VmHWM:"))
	kib, _ := strconv.ParseInt(strings.Fields(string(rest) + " 0")[0], 10, 64)
	return kib << 10
}

// said is the end of what the program printed.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log.Name())
	return strings.TrimSpace(string(text[max(len(text)-500, 0):]))
}

// until tries until ready succeeds or limit is over.
func until(ctx context.Context, limit time.Duration, ready func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-pause.C:
		}
	}
}
