package wire

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"
)

// endpoint is where a server's requests go. It sends them by the client's
// transport itself: what a client does besides (redirects, cookies) no request to
// an MCP server wants.
type endpoint struct {
	url       *url.URL
	transport http.RoundTripper
	logger    *slog.Logger
	noisy     atomic.Bool // what is no message was logged once
}

func newEndpoint(at string, client *http.Client, logger *slog.Logger) (*endpoint, error) {
	parsed, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	e := &endpoint{url: parsed, transport: client.Transport, logger: logger}
	if e.transport == nil {
		e.transport = http.DefaultTransport
	}
	return e, nil
}

// optionalKey marks the requests for what a server need not have.
type optionalKey struct{}

// AsOptional marks the requests that are made with the context as those for something that
// a server need not have; see [Optional].
func AsOptional(ctx context.Context) context.Context {
	return context.WithValue(ctx, optionalKey{}, true)
}

// Optional reports whether a request is for something that a server need not have: its
// own stream, the end of a session, or a list besides the first. What it answers says nothing about the requests
// that matter, so that no token is renewed and nobody is asked to log in for it.
func Optional(request *http.Request) bool { return request.Context().Value(optionalKey{}) != nil }

// request is one with a copy of the header.
func (e *endpoint) request(ctx context.Context, method string, header http.Header) *http.Request {
	request := http.Request{
		Method:     method,
		URL:        e.url,
		Host:       e.url.Host,
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     maps.Clone(header),
	}
	return request.WithContext(ctx)
}

// passOver logs what a server says where a message has to be, once for users: a server
// that does so does it often.
func (e *endpoint) passOver(text []byte, err error) {
	level := slog.LevelDebug
	if e.noisy.CompareAndSwap(false, true) {
		level = slog.LevelWarn
	}
	e.logger.Log(context.Background(), level, "what the server sent is no message that belongs here, and is passed over",
		"text", string(text[:min(len(text), loggedText)]), "error", err)
}

// loggedText bounds how much is logged of what is passed over.
const loggedText = 200

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
