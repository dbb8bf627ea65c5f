package loopback

import (
	"net/netip"
	"os"
)

func foreign(remote, local netip.AddrPort) bool {
	for _, family := range []struct {
		table      string
		remote, at netip.AddrPort
	}{
		{"/proc/net/tcp", unmapped(remote), unmapped(local)},
		{"/proc/net/tcp6", mapped(remote), mapped(local)},
	} {
		file, err := os.Open(family.table)
		if err != nil {
			continue
		}
		found, ok := find(file, family.remote, family.at)
		_ = file.Close() // it was read
		if ok {
			return !found.held || found.user != os.Geteuid() && found.user != 0
		}
	}
	return false
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// mapped is how a table of version 6 has an address of version 4 (RFC 4291 section 2.5.5.2).
func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}
