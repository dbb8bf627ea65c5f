package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

// maxBody bounds what an authorization server may answer, in bytes.
const maxBody = 1 << 20

// requestLimit bounds one request to an authorization server, and its answer.
const requestLimit = 20 * time.Second

// maxHeader bounds the header of an answer, in bytes.
const maxHeader = 64 << 10

// HTTPOptions of [NewHTTPClient].
type HTTPOptions struct {
	Reach Reach
	// Proxy finds the HTTP proxy for a request; nil asks the environment.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial, if set, connects in place of the network, and resolves and checks nothing.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// NewHTTPClient returns a client for the authorization servers of upstreams of one
// reach: no redirects, no cookies, bounded in time and in the length of headers. An
// address that is nearer than the reach is refused with an [*AddressError], after
// names were resolved and before anything is sent. Clients share no connections: one
// that is open could be nearer than the other may reach.
func NewHTTPClient(o HTTPOptions) *http.Client {
	t := &reaching{reach: o.Reach, proxy: o.Proxy, direct: newTransport(), proxied: newTransport()}
	if t.proxy == nil {
		t.proxy = http.ProxyFromEnvironment
	}
	t.proxied.Proxy = t.proxy
	if t.direct.DialContext = o.Dial; o.Dial == nil {
		dialer := &net.Dialer{Timeout: 10 * time.Second,
			Control: func(_, address string, _ syscall.RawConn) error { return o.Reach.checkAddress(address) }}
		t.direct.DialContext = dialer.DialContext
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Clients gives each reach a client, which all upstreams of the reach share.
func Clients() func(Reach) *http.Client {
	var clients []*http.Client
	for reach := Public; reach <= Loopback; reach++ {
		clients = append(clients, NewHTTPClient(HTTPOptions{Reach: reach}))
	}
	return func(r Reach) *http.Client { return clients[r] }
}

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 4
	t.ResponseHeaderTimeout = requestLimit
	t.MaxResponseHeaderBytes = maxHeader
	return t
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

// maxRedirects bounds how often a document's place leads to another one of its host.
const maxRedirects = 3

// get fetches a JSON document, and returns the header that it came with; nil for an answer
// that says there is none. Redirects are followed within the host: another host has
// nothing to say of this one. A page that they end at is none.
func get(ctx context.Context, hc *http.Client, operation, target string, into any) (header http.Header, err error) {
	failure := &Error{Operation: operation, URL: where(target)}
	for redirects := 0; ; redirects++ {
		if err := checkURL(target); err != nil {
			failure.Class, failure.Err = Misconfigured, err
			return nil, failure
		}
		response, err := ask(ctx, hc, target)
		if err != nil {
			failure.Class, failure.Err = NotSent, stripURL(err)
			if near := (*AddressError)(nil); errors.As(err, &near) {
				failure.Class = Misconfigured
			}
			return nil, failure
		}
		next := redirect(response)
		if next == "" || redirects == maxRedirects {
			return read(response, failure, redirects > 0, into)
		}
		_ = response.Body.Close()
		target = next
	}
}

func ask(ctx context.Context, hc *http.Client, target string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("MCP-Protocol-Version", "2025-11-25")
	return hc.Do(request)
}

// redirect is where a response leads on its own host, or "".
func redirect(response *http.Response) string {
	next, err := response.Location()
	if err != nil || response.StatusCode/100 != 3 || next.Scheme != response.Request.URL.Scheme || next.Host != response.Request.URL.Host {
		return ""
	}
	next.Fragment, next.User = "", nil
	return next.String()
}

func read(response *http.Response, failure *Error, redirected bool, into any) (http.Header, error) {
	defer response.Body.Close()
	if failure.Status = response.StatusCode; response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNonAuthoritativeInfo {
		if failure.Class = classOfStatus(response.StatusCode); failure.Class == Transient {
			failure.RetryAfter = retryAfter(response.Header)
			return nil, failure
		}
		return nil, nil
	}
	if err := decode(response, into); err != nil {
		if redirected && errors.Is(err, errPage) {
			return nil, nil // a login page, say
		}
		failure.Class, failure.Err = Misconfigured, err
		return nil, failure
	}
	return response.Header, nil
}

// errPage says that there is a page in the place of a document: many sites have one for
// every address that they do not know.
var errPage = errors.New("it is a page")

func decode(response *http.Response, into any) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return err
	}
	if len(text) > maxBody {
		return errors.New("the answer is longer than 1 MiB")
	}
	text = bytes.TrimSpace(unmarked(text))
	if err := json.Unmarshal(text, into); err != nil {
		if isPage(text, response.Header.Get("Content-Type")) {
			return fmt.Errorf("the answer is not the JSON that the specification asks for: %w", errPage)
		}
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
