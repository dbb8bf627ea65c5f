package upstream

import (
	"net/http"
	"net/url"
	"strings"

	"mcpproxy/credential"
)

// redirects bounds how many redirects one request follows.
const redirects = 5

// moved is an address and where the server has moved it to.
type moved struct{ from, to url.URL }

// follow sends a request, and after a redirect that keeps the request as it is (RFC 9110
// sections 15.4.8 and 15.4.9; a permanent one of section 15.4.2 is meant so by servers
// that end their paths with a slash) sends it once more, within the origin that the
// token is for. The address is kept in mind for the requests that come.
func (b *bearer) follow(request *http.Request, token *credential.Token) (*http.Response, error) {
	if known := b.moved.Load(); known != nil && *request.URL == known.from {
		to := known.to
		request.URL, request.Host = &to, to.Host
	}
	asked := *request.URL
	for hop := 0; ; hop++ {
		response, err := b.send(request, token)
		if err != nil {
			return nil, err
		}
		target := b.upstream.movedTo(request, response)
		switch {
		case target == nil && hop > 0 && response.StatusCode < http.StatusBadRequest:
			b.remember(asked, *request.URL)
			return response, nil
		case target == nil || hop == redirects:
			if known := b.moved.Load(); known != nil && known.to == asked && response.StatusCode >= http.StatusMultipleChoices {
				b.moved.Store(nil) // it is asked at the address of the configuration again
			}
			return response, nil
		}
		discard(response)
		again := request.Clone(request.Context())
		if request.GetBody != nil {
			if again.Body, err = request.GetBody(); err != nil {
				return nil, err
			}
		}
		again.URL, again.Host = target, target.Host
		request = again
	}
}

// remember notes where the server has moved an address to.
func (b *bearer) remember(from, to url.URL) {
	if known := b.moved.Load(); known != nil && known.to == from {
		from = known.from
	}
	b.moved.Store(&moved{from, to})
	b.upstream.logger.Info("the server has moved its endpoint, which is followed", "from", from.Redacted(), "to", to.Redacted())
}

// movedTo is where a response wants the same request sent to, nil where it wants nothing
// of the kind or names another origin.
func (u *Upstream) movedTo(request *http.Request, response *http.Response) *url.URL {
	switch response.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusMovedPermanently:
	default:
		return nil
	}
	target, err := request.URL.Parse(response.Header.Get("Location"))
	if err != nil || response.Header.Get("Location") == "" || !u.isOrigin(target) || request.Body != nil && request.Body != http.NoBody &&
		request.GetBody == nil {
		return nil
	}
	target.User, target.Fragment = nil, ""
	return target
}

// isOrigin reports whether tokens may be sent to an address.
func (u *Upstream) isOrigin(at *url.URL) bool {
	return strings.EqualFold(at.Scheme, u.origin.Scheme) && strings.EqualFold(hostPort(at), hostPort(&u.origin))
}

// hostPort is an address's host with its port, given or by default.
func hostPort(at *url.URL) string {
	port := at.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(at.Scheme)]
	}
	return at.Hostname() + ":" + port
}
