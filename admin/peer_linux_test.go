package admin

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connectTo makes this test binary connect to a socket and say what came of it.
const connectTo = "ADMIN_TEST_CONNECT_TO"

// TestHelperConnect is the other user's program.
func TestHelperConnect(t *testing.T) {
	socket := os.Getenv(connectTo)
	if socket == "" {
		t.Skip("it is started by TestAnotherUserIsTurnedAway")
	}
	conn, err := net.Dial("unix", socket)
	switch {
	case errors.Is(err, os.ErrPermission):
		t.Log("outcome: may not connect")
		return
	case err != nil:
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); n == 1 {
		t.Log("outcome: let in")
	} else {
		t.Logf("outcome: turned away (%v)", err)
	}
}

// Another user's program is stopped by the socket's mode, and where that was widened
// by whose program it is.
func TestAnotherUserIsTurnedAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a program as another user")
	}
	dir, err := os.MkdirTemp("", "admin-") // sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := filepath.Join(dir, "program")
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(program, text, 0o755), os.Chmod(program, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	listener, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("welcome"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-accepted
	})
	for _, test := range []struct {
		name string
		user uint32
		mode os.FileMode
		want string
	}{
		{"this user", 0, 0o600, "let in"},
		{"another user", 65534, 0o600, "may not connect"},
		{"another user, at a socket that anybody may write", 65534, 0o666, "turned away"},
	} {
		if err := os.Chmod(socket, test.mode); err != nil {
			t.Fatal(err)
		}
		child := exec.Command(program, "-test.run=^TestHelperConnect$", "-test.v")
		child.Dir, child.Env = "/", []string{connectTo + "=" + socket}
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: test.user, Gid: test.user}}
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "outcome: "+test.want) {
			t.Errorf("%s: %v, want %q: %s", test.name, err, test.want, out)
		}
	}
}
