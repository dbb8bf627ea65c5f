package fidelity_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"mcpproxy/proxy"
)

// client is one downstream connection that shows its messages raw.
type client interface {
	// request sends a request and returns the messages that come on its stream, of
	// which the answer is the last.
	request(ctx context.Context, id, method, params string) (next func() string)
	// say sends a notification or a response.
	say(text string)
	// cancel gives up the request with the id; stop ends its context.
	cancel(id string, stop func())
	// meta is what has to be in _meta of each request, or empty.
	meta() string
}

// overSession speaks MCP 2025-11-25 over HTTP.
type overSession struct {
	t       *testing.T
	url     string
	session string
}

func newOverSession(t *testing.T, url string) *overSession {
	c := &overSession{t: t, url: url}
	response := c.post(t.Context(), `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}},"clientInfo":{"name":"t","version":"1"}}}`)
	c.session = response.Header.Get("Mcp-Session-Id")
	if err := response.Body.Close(); err != nil {
		t.Fatal(err)
	}
	c.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

func (c *overSession) post(ctx context.Context, body string) *http.Response {
	return post(c.t, ctx, c.url, body, "Mcp-Session-Id", c.session, "Mcp-Protocol-Version", "2025-11-25")
}

func post(t *testing.T, ctx context.Context, url, body string, headers ...string) *http.Response {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return &http.Response{Header: http.Header{}, Body: http.NoBody}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return &http.Response{Header: http.Header{}, Body: http.NoBody}
	}
	return response
}

func (c *overSession) request(ctx context.Context, id, method, params string) func() string {
	return messages(c.t, ctx, c.post(ctx, message(id, method, params)))
}

func message(id, method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params)
}

// messages are those of a response, be it a document or a stream.
func messages(t *testing.T, ctx context.Context, response *http.Response) func() string {
	lines := bufio.NewReaderSize(response.Body, 1<<20)
	t.Cleanup(func() { _ = response.Body.Close() })
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		return func() string {
			text, err := io.ReadAll(lines)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			return string(text)
		}
	}
	return func() string {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				if !errors.Is(err, io.EOF) && ctx.Err() == nil {
					t.Error(err)
				}
				return ""
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok && strings.TrimSpace(data) != "" {
				return strings.TrimSuffix(data, "\n")
			}
		}
	}
}

func (c *overSession) say(text string) { _ = c.post(c.t.Context(), text).Body.Close() }

func (c *overSession) cancel(id string, _ func()) { c.say(cancelled(id)) }
func (c *overSession) meta() string               { return "" }

func cancelled(id string) string {
	return `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`
}

// withoutSession speaks MCP 2026-07-28.
type withoutSession struct {
	t   *testing.T
	url string
}

func (c *withoutSession) request(ctx context.Context, id, method, params string) func() string {
	_, name, _ := strings.Cut(params, `"name":"`)
	name, _, _ = strings.Cut(name, `"`)
	return messages(c.t, ctx, post(c.t, ctx, c.url, message(id, method, params),
		"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", method, "Mcp-Name", name))
}

func (c *withoutSession) say(string)                   { c.t.Error("this protocol has no notifications of clients") }
func (c *withoutSession) cancel(_ string, stop func()) { stop() }
func (c *withoutSession) meta() string {
	return `"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}}`
}

// overStdio speaks MCP 2025-11-25 over a pair of streams.
type overStdio struct {
	t     *testing.T
	out   io.Writer
	lines *bufio.Reader
	// others are answers that came while another one was awaited.
	others []string
}

func newOverStdio(t *testing.T, server *proxy.Server, only string) *overStdio {
	in, out := io.Pipe()
	back, backEnd := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- server.ServeStdio(t.Context(), only, in, backEnd) }()
	t.Cleanup(func() {
		_ = out.Close()
		go func() { _, _ = io.Copy(io.Discard, back) }()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = backEnd.Close()
	})
	c := &overStdio{t: t, out: out, lines: bufio.NewReaderSize(back, 1<<20)}
	c.request(t.Context(), "0", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{"sampling":{}},"clientInfo":{"name":"t","version":"1"}}`)()
	c.say(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	return c
}

func (c *overStdio) request(_ context.Context, id, method, params string) func() string {
	c.say(message(id, method, params))
	return func() string {
		for i, text := range c.others {
			if strings.HasPrefix(text, answerTo(id)) {
				c.others = slices.Delete(c.others, i, i+1)
				return text
			}
		}
		for {
			line, err := c.lines.ReadString('\n')
			if err != nil {
				c.t.Error(err)
				return ""
			}
			text := strings.TrimSuffix(line, "\n")
			switch {
			case strings.Contains(text, `"notifications/tools/list_changed"`):
			case strings.Contains(text[:min(len(text), 80)], `"method":`), strings.HasPrefix(text, answerTo(id)):
				return text
			default:
				c.others = append(c.others, text)
			}
		}
	}
}

func answerTo(id string) string { return `{"jsonrpc":"2.0","id":` + id + `,` }

func (c *overStdio) say(text string) {
	// A newline ends a message; between tokens a space means the same.
	if _, err := io.WriteString(c.out, strings.ReplaceAll(text, "\n", " ")+"\n"); err != nil {
		c.t.Error(err)
	}
}

func (c *overStdio) cancel(id string, _ func()) { c.say(cancelled(id)) }
func (c *overStdio) meta() string               { return "" }
