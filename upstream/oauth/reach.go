package oauth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Reach says how near to this machine the addresses may be that a server leads to.
// A server that a user has configured may lead as near as it is itself, so that a
// stranger's metadata is no way into the network that this program runs in (RFC 9728
// section 7.7). No reach covers link-local addresses and those at which clouds hand
// out credentials.
type Reach int

// The reaches, from afar to here. Each has what is farther, too.
const (
	// Public addresses are those of the internet.
	Public Reach = iota
	// Private ones are those of a network of one's own (RFC 1918, 4193, 6598).
	Private
	// Loopback is this machine.
	Loopback
)

func (r Reach) String() string {
	return [...]string{"on the internet", "in a private network", "on this machine"}[r]
}

// ReachOf is the reach of what a user has configured: that of the nearest of the
// URLs. A name but localhost is public, whatever it resolves to now: that is its
// owner's to change.
func ReachOf(urls ...string) Reach {
	reach := Public
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if at, known := placeOf(u.Hostname()); known {
			reach = max(reach, at)
		}
	}
	return reach
}

// placeOf is where a host is that needs no look-up; known is false for a name.
func placeOf(host string) (at Reach, known bool) {
	if localName(host) {
		return Loopback, true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return Public, false
	}
	at, ok := placeOfAddress(ip)
	return at, ok
}

func localName(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") // RFC 6761 section 6.3
}

var (
	// shared is the space between a provider and its customers (RFC 6598).
	shared = netip.MustParsePrefix("100.64.0.0/10")
	// translated have an IPv4 address at their end (RFC 6052).
	translated = netip.MustParsePrefix("64:ff9b::/96")
	// nowhere are addresses that no server has, and those of clouds' metadata.
	nowhere = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
		netip.MustParsePrefix("100.100.100.200/32"), netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("fd00:ec2::254/128"),
		netip.MustParsePrefix("::/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
	}
)

// placeOfAddress is where an address is; ok is false for one that no server has.
func placeOfAddress(ip netip.Addr) (at Reach, ok bool) {
	ip = ip.WithZone("").Unmap()
	if translated.Contains(ip) {
		last := ip.As16()
		ip = netip.AddrFrom4([4]byte(last[12:]))
	}
	if ip.IsLoopback() {
		return Loopback, true
	}
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() {
		return Public, false
	}
	for _, prefix := range nowhere {
		if prefix.Contains(ip) {
			return Public, false
		}
	}
	if ip.IsPrivate() || shared.Contains(ip) {
		return Private, true
	}
	return Public, true
}

// AddressError says that an address is nearer than it may be.
type AddressError struct {
	// Address as host or host:port.
	Address string
	// At is where it is, and Reach how near it may be.
	At, Reach Reach
	// None says that no server has such an address.
	None bool
}

func (e *AddressError) Error() string {
	switch {
	case e.None:
		return fmt.Sprintf("the address %s is not one that an authorization server may have", e.Address)
	case e.At == Private:
		return fmt.Sprintf("the address %s is %s, and the MCP server is %s; if both are your own, allow it with --allow-private", e.Address,
			e.At, e.Reach)
	}
	return fmt.Sprintf("the address %s is %s, and the MCP server is %s; what is elsewhere may not lead here", e.Address, e.At, e.Reach)
}

// checkAddress is for host:port, with the names resolved.
func (r Reach) checkAddress(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &AddressError{Address: address, Reach: r, None: true}
	}
	place, ok := placeOfAddress(at.Addr())
	if !ok || place > r {
		return &AddressError{Address: address, At: place, Reach: r, None: !ok}
	}
	return nil
}

// checkHost is for the host of a URL before any look-up; a name passes, and is
// checked when it is connected to.
func (r Reach) checkHost(host string) error {
	if localName(host) {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return r.checkAddress(netip.AddrPortFrom(ip, 0).String())
	}
	return nil
}

// checkURL is [checkURL] for what a server names.
func (r Reach) checkURL(text string) error {
	if err := checkURL(text); err != nil {
		return err
	}
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	return r.checkHost(u.Hostname())
}

// reaching refuses requests to what is nearer than the reach: by the URL here, and
// by what its name resolves to when direct connects. Where the environment has an
// HTTP proxy, that one resolves the name. A request and its answer have requestLimit.
type reaching struct {
	reach           Reach
	proxy           func(*http.Request) (*url.URL, error)
	direct, proxied *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *reaching) RoundTrip(r *http.Request) (*http.Response, error) {
	way, err := t.way(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	ctx, end := context.WithTimeout(r.Context(), requestLimit)
	response, err := way.RoundTrip(r.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &limitedBody{response.Body, end}
	return response, nil
}

func (t *reaching) way(r *http.Request) (*http.Transport, error) {
	if err := t.reach.checkHost(r.URL.Hostname()); err != nil {
		return nil, err
	}
	through, err := t.proxy(r)
	if through != nil {
		return t.proxied, err
	}
	return t.direct, err
}

// limitedBody ends the request's time with its answer: at the last byte, as
// x/oauth2 does not close every body.
type limitedBody struct {
	io.ReadCloser
	end context.CancelFunc
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *limitedBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// CloseIdleConnections is called by the client's method of that name.
func (t *reaching) CloseIdleConnections() {
	t.direct.CloseIdleConnections()
	t.proxied.CloseIdleConnections()
}
