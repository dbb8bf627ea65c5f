package calls

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// caller makes calls through a hop. It is safe for concurrent use.
type caller interface {
	// call sends one tools/call whose argument is size bytes long, and reads the answer.
	call(ctx context.Context, size int) error
	close()
}

// httpCaller speaks streamable HTTP.
type httpCaller struct {
	client *http.Client
	url    string
	tool   string
	header http.Header
	meta   string
}

const clientInfo = `"clientInfo":{"name":"bench","version":"1"}`

func newHTTPCaller(url, tool string) *httpCaller {
	transport := &http.Transport{MaxIdleConnsPerHost: 256, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	return &httpCaller{client: &http.Client{Transport: transport, Timeout: time.Minute}, url: url, tool: tool, header: header}
}

// sessionCaller begins a session of 2025-11-25.
func sessionCaller(ctx context.Context, url, tool string) (caller, error) {
	c := newHTTPCaller(url, tool)
	response, err := c.post(ctx, []byte(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},`+clientInfo+`}}`))
	if err != nil {
		return nil, err
	}
	if err := finish(response, 20); err != nil {
		return nil, err
	}
	c.header.Set("Mcp-Protocol-Version", "2025-11-25")
	if id := response.Header.Get("Mcp-Session-Id"); id != "" {
		c.header.Set("Mcp-Session-Id", id)
	}
	response, err = c.post(ctx, []byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`))
	if err != nil {
		return nil, err
	}
	return c, errors.Join(finish(response, 0), c.call(ctx, sizes[0]))
}

// statelessCaller speaks 2026-07-28.
func statelessCaller(ctx context.Context, url, tool string) (caller, error) {
	c := newHTTPCaller(url, tool)
	c.header.Set("Mcp-Protocol-Version", "2026-07-28")
	c.header.Set("Mcp-Method", "tools/call")
	c.header.Set("Mcp-Name", tool)
	c.meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`
	return c, c.call(ctx, sizes[0])
}

// request is the message of one call.
func request(tool, meta string, id int64, size int) []byte {
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"%s","arguments":{"text":"%s"}%s}}`, id, tool, payloads[size], meta)
}

func (c *httpCaller) post(ctx context.Context, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = c.header
	return c.client.Do(r)
}

func (c *httpCaller) call(ctx context.Context, size int) error {
	response, err := c.post(ctx, request(c.tool, c.meta, ids.Add(1), size))
	if err != nil {
		return err
	}
	return finish(response, size)
}

// finish reads an answer, which must be at least as long as given.
func finish(response *http.Response, least int) error {
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 300))
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && n < int64(least) {
		return fmt.Errorf("an answer of %d bytes, and at least %d were expected", n, least)
	}
	return err
}

func (c *httpCaller) close() { c.client.CloseIdleConnections() }
