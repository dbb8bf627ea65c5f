package loopback

import (
	"net/netip"
	"strings"
	"testing"
)

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22E2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1061 1 0 100 0 0 10 0
   1: 0100007F:AE03 0100007F:22E2 01 00000000:00000000 02:0000112E 00000000  1001        0 4711 3 0
   2: 0100007F:22E2 0100007F:AE03 01 00000000:00000000 02:0000112E 00000000  1000        0 4712 3 0
   3: 0100007F:AE04 0100007F:22E2 05 00000000:00000000 03:0000112E 00000000     0        0 0 3 0
   4: 0000000000000000FFFF00000100007F:AE05 0000000000000000FFFF00000100007F:22E2 01 0:0 00:0 0  1002        0 4713 1 0
   5: 00000000000000000000000001000000:AE06 00000000000000000000000001000000:22E2 01 0:0 00:0 0  1003        0 4714 1 0
`

// The kernel's table says whose socket the other end is; one that its program has closed
// already is nobody's, whatever user stands there.
func TestWhoseSocket(t *testing.T) {
	for _, test := range []struct {
		from, to string
		want     owner
		known    bool
	}{
		{"127.0.0.1:44547", "127.0.0.1:8930", owner{1001, true}, true},
		{"127.0.0.1:44548", "127.0.0.1:8930", owner{0, false}, true},
		{"[::ffff:127.0.0.1]:44549", "[::ffff:127.0.0.1]:8930", owner{1002, true}, true},
		{"[::1]:44550", "[::1]:8930", owner{1003, true}, true},
		{"127.0.0.1:44550", "127.0.0.1:8930", owner{}, false},
		{"127.0.0.1:44547", "127.0.0.1:8931", owner{}, false},
	} {
		got, known := find(strings.NewReader(table), netip.MustParseAddrPort(test.from), netip.MustParseAddrPort(test.to))
		if got != test.want || known != test.known {
			t.Errorf("%s to %s is %+v, %t, want %+v, %t", test.from, test.to, got, known, test.want, test.known)
		}
	}
}
