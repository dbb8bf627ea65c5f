//go:build linux

// Package stranger makes requests as another user of this machine.
package stranger

import (
	"context"
	"net"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"testing"
)

const nobody = 65534

// Client returns a client whose connections are another user's. It skips the test where
// this one may not act for others: only root may.
func Client(t testing.TB) *http.Client {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can connect as another user")
	}
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// dial connects on a thread that is another user's for as long: a socket is its whose
// thread makes it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		return nil, err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if back := syscall.Setfsuid(os.Geteuid()); back != nil {
		panic(back) // the thread would go on as another user
	}
	return conn, err
}
