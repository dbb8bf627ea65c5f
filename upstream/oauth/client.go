package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

// maxBody bounds what an authorization server may answer, in bytes.
const maxBody = 1 << 20

// requestLimit bounds one request to an authorization server.
const requestLimit = 20 * time.Second

// HTTPOptions of [NewHTTPClient].
type HTTPOptions struct {
	// AllowPrivate lets requests go to private and link-local addresses, for
	// servers in a company's own network.
	AllowPrivate bool
}

// NewHTTPClient returns the client for authorization servers: no redirects, no
// cookies, no proxies' credentials, bounded in time. Link-local addresses (cloud
// metadata services among them) are refused when the connection is made, after
// names were resolved; private ones too unless they are allowed.
func NewHTTPClient(o HTTPOptions) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return checkAddress(address, o.AllowPrivate) }}
	transport.DialContext = dialer.DialContext
	transport.MaxIdleConnsPerHost = 4
	transport.ResponseHeaderTimeout = requestLimit
	return &http.Client{Transport: transport, Timeout: requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type addressError struct{ address string }

func (e *addressError) Error() string {
	return fmt.Sprintf("the address %s is not one that an authorization server may have", e.address)
}

func checkAddress(address string, private bool) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &addressError{address}
	}
	ip := at.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip.IsPrivate() && !private {
		return &addressError{address}
	}
	return nil
}

// checkURL accepts https, and http to this machine (MCP 2025-11-25 authorization,
// communication security).
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "":
		return fmt.Errorf("%q is not an absolute URL", clean(text))
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%q has user information or a fragment", where(text))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q is neither https nor on this machine", where(text))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// traced notes whether a request was written to a connection.
func traced(ctx context.Context) (context.Context, *atomic.Bool) {
	var sent atomic.Bool
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}), &sent
}

// get fetches a JSON document; found is false for an answer that says there is none.
func get(ctx context.Context, hc *http.Client, operation, target string, into any) (found bool, err error) {
	failure := &Error{Operation: operation, URL: where(target)}
	if err := checkURL(target); err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return false, failure
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return false, failure
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("MCP-Protocol-Version", "2025-11-25")
	response, err := hc.Do(request)
	if err != nil {
		failure.Class, failure.Err = NotSent, stripURL(err)
		return false, failure
	}
	defer response.Body.Close()
	if failure.Status = response.StatusCode; response.StatusCode != http.StatusOK {
		if failure.Class = classOfStatus(response.StatusCode); failure.Class == Transient {
			failure.RetryAfter = retryAfter(response.Header)
			return false, failure
		}
		return false, nil
	}
	if err := decode(response.Body, into); err != nil {
		failure.Class, failure.Err = Misconfigured, err
		return false, failure
	}
	return true, nil
}

func decode(body io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(body, maxBody+1))
	if err != nil {
		return err
	}
	if len(text) > maxBody {
		return errors.New("the answer is longer than 1 MiB")
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer is not the JSON that the specification asks for: %w", err)
	}
	return nil
}

// stripURL drops the URL that net/http puts into its errors: it may hold secrets.
func stripURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
