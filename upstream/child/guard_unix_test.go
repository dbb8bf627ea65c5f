//go:build unix

package child_test

import (
	"os/exec"
	"syscall"
	"testing"

	"mcpproxy/upstream/child"
)

// A guard runs while there is something to guard, and ends nothing while this process
// lives; what it is told that is over it leaves alone.
func TestAGuardEndsNothingByItself(t *testing.T) {
	var guard child.Guard
	sleeper := exec.Command("sleep", "60")
	sleeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	group := sleeper.Process.Pid
	for range 2 {
		if err := guard.Watch(group); err != nil {
			t.Fatal(err)
		}
		guard.Ended(group)
	}
	if err := syscall.Kill(group, 0); err != nil {
		t.Errorf("it was ended: %v", err)
	}
	if err := sleeper.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = sleeper.Wait() // it was killed
	var none *child.Guard
	if err := none.Watch(1); err != nil {
		t.Error(err)
	}
	none.Ended(1)
}
