package wire

import (
	"context"
	"maps"
	"net/http"
	"net/url"
)

// endpoint is where a server's requests go. It sends them by the client's
// transport itself: what a client does besides (redirects, cookies) no request to
// an MCP server wants.
type endpoint struct {
	url       *url.URL
	transport http.RoundTripper
}

func newEndpoint(at string, client *http.Client) (*endpoint, error) {
	parsed, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	e := &endpoint{url: parsed, transport: client.Transport}
	if e.transport == nil {
		e.transport = http.DefaultTransport
	}
	return e, nil
}

// request is one with a copy of the header.
func (e *endpoint) request(ctx context.Context, method string, header http.Header) *http.Request {
	request := http.Request{Method: method, URL: e.url, Host: e.url.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: maps.Clone(header)}
	return request.WithContext(ctx)
}

// send returns errors as a client does: a [*url.Error] that says where to.
func (e *endpoint) send(request *http.Request) (*http.Response, error) {
	response, err := e.transport.RoundTrip(request)
	if err != nil {
		return nil, &url.Error{Op: request.Method, URL: e.url.Redacted(), Err: err}
	}
	return response, nil
}
