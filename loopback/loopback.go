// Package loopback tells whose program is at the other end of a TCP connection within
// this machine. Anybody on it may connect to a loopback address, and may read from the
// list of processes what address a browser was opened with; so a one-time address is
// only good for its user.
//
// It promises that a request of another user's program is known for one on Linux. It
// knows nothing of other systems, where a request counts as its user's: what opens a
// browser there hands the address over where others do not see it (package
// upstream/browser).
package loopback

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Foreign reports whether the request came over loopback from a program of another user
// than this process's, and not of root's. What the system does not say is not foreign.
func Foreign(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().Unmap().IsLoopback() {
		return false
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return false
	}
	return foreign(remote, local.AddrPort())
}

// owner is whose socket a connection's end is, by a table of the kernel (proc_pid_net(5)).
type owner struct {
	user int
	// held is false for the end of a connection that nobody holds any more: it was closed
	// by its program, and the table has lost whose it was.
	held bool
}

// find looks for the socket at the address from, which is connected to the address to.
func find(table io.Reader, from, to netip.AddrPort) (owner, bool) {
	wanted := []string{spelled(from), spelled(to)}
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || !slices.Equal(fields[1:3], wanted) {
			continue
		}
		user, err := strconv.Atoi(fields[7])
		if err != nil {
			return owner{}, false
		}
		return owner{user: user, held: fields[9] != "0"}, true
	}
	return owner{}, false
}

// spelled is an address as the tables have it: words of four bytes, the last byte of
// each first, and the port.
func spelled(address netip.AddrPort) string {
	raw := address.Addr().AsSlice()
	for word := 0; word < len(raw); word += 4 {
		slices.Reverse(raw[word : word+4])
	}
	return strings.ToUpper(hex.EncodeToString(raw)) + fmt.Sprintf(":%04X", address.Port())
}
