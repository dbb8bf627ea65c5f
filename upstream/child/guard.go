//go:build unix

package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// script reads which process groups there are, a line "+ group" or "- group" each, and
// ends them when nobody writes any more: at once where they obey, after two seconds where
// they do not. It holds nothing of this process open, and minds no signal of a terminal.
const script = `trap '' HUP INT QUIT TERM
groups=
while read -r sign group; do
	kept=
	for g in $groups; do [ "$g" = "$group" ] || kept="$kept $g"; done
	groups=$kept
	[ "$sign" = + ] && groups="$groups $group"
done
[ -n "$groups" ] || exit 0
for g in $groups; do kill -TERM -"$g" 2>/dev/null; done
sleep 2
for g in $groups; do kill -KILL -"$g" 2>/dev/null; done
exit 0`

// Guard ends the process groups of children when this process is gone, also where it was
// killed and could not do so itself: a shell waits for that at the end of a pipe. It runs
// while there are children. All methods are safe for concurrent use. The zero value is
// ready, and nil does nothing.
type Guard struct {
	// mu is held while the shell is started, told or ended: each takes no longer than
	// tellLimit, and none may overtake another.
	mu     sync.Mutex
	groups map[int]bool
	shell  *exec.Cmd
	pipe   *os.File
}

// tellLimit is how long the shell may take to be told something: it reads at once.
const tellLimit = time.Second

// tell writes a line to the shell. g.mu is held.
func (g *Guard) tell(sign string, group int) error {
	if err := g.pipe.SetWriteDeadline(time.Now().Add(tellLimit)); err != nil {
		return err
	}
	_, err := fmt.Fprintln(g.pipe, sign, group)
	return err
}

// Watch has the group end with this process.
func (g *Guard) Watch(group int) error {
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.groups == nil {
		g.groups = map[int]bool{}
	}
	g.groups[group] = true
	if g.pipe != nil {
		if g.tell("+", group) == nil {
			return nil
		}
		g.stop() // someone ended it; another one takes its place
	}
	return g.start()
}

// Ended says that there is nothing left of the group. The shell ends with the last one.
func (g *Guard) Ended(group int) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.groups, group)
	if g.pipe == nil {
		return
	}
	if err := g.tell("-", group); err != nil || len(g.groups) == 0 {
		g.stop()
	}
	if g.pipe == nil && len(g.groups) > 0 {
		_ = g.start() // the next child says that it could not be
	}
}

// start starts the shell. g.mu is held.
func (g *Guard) start() error {
	shell := exec.Command("/bin/sh", "-c", script)
	shell.Dir, shell.Env = "/", []string{"PATH=/usr/bin:/bin"}
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	end, pipe, err := os.Pipe()
	if err == nil {
		shell.Stdin = end
		err = errors.Join(shell.Start(), end.Close())
	}
	if err != nil {
		if pipe != nil {
			_ = pipe.Close()
		}
		return fmt.Errorf("children would outlive this process if it were killed: %w", err)
	}
	g.shell, g.pipe = shell, pipe
	for group := range g.groups {
		if err := g.tell("+", group); err != nil {
			return fmt.Errorf("children would outlive this process if it were killed: %w", err)
		}
	}
	return nil
}

// stop ends the shell, which has no group left to end or is gone. g.mu is held.
func (g *Guard) stop() {
	_ = g.shell.Process.Kill()
	_ = g.shell.Wait() // it was killed
	_ = g.pipe.Close()
	g.shell, g.pipe = nil, nil
}
