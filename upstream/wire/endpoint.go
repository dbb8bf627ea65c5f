package wire

import (
	"bytes"
	"context"
	"io"
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

// post sends a body that is held whole.
func (e *endpoint) post(ctx context.Context, header http.Header, body []byte) (*http.Response, error) {
	request := e.request(ctx, http.MethodPost, header)
	setBody(request, body)
	return e.send(request)
}

// setBody makes body that of a request which can be sent again.
func setBody(request *http.Request, body []byte) {
	request.ContentLength = int64(len(body))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Body, _ = request.GetBody()
}

// send returns errors as a client does: a [*url.Error] that says where to.
func (e *endpoint) send(request *http.Request) (*http.Response, error) {
	response, err := e.transport.RoundTrip(request)
	if err != nil {
		return nil, &url.Error{Op: request.Method, URL: e.url.Redacted(), Err: err}
	}
	return response, nil
}
