package admin

import (
	"net"
	"syscall"
)

// peer is the user whose program is at the other end of a socket; nobody, -1, where
// the system does not say.
func peer(conn net.Conn) (user int, known bool) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return -1, true
	}
	user = -1
	_ = raw.Control(func(fd uintptr) { // the connection is gone: nobody's
		if found, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			user = int(found.Uid)
		}
	})
	return user, true
}
