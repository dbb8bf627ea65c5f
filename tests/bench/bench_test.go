// Package bench measures what the proxy costs: a call through it beside the same
// call without it, and an upstream that does nothing.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mcpproxy/instance"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/transitions"
	"mcpproxy/upstream"
	"mcpproxy/upstream/browser"
)

// answering is an MCP server of 2026-07-28 that answers every call with the same
// bytes, so that what is measured is the way there and back.
func answering(size int) http.Handler {
	payload := strings.Repeat("x", size)
	result := fmt.Sprintf(`{"resultType":"complete","content":[{"type":"text","text":"%s"}]}`, payload)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		switch r.Header.Get("Mcp-Method") {
		case "server/discover":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`, id(body))
		case "tools/list":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}}`, id(body))
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, id(body), result)
		}
	})
}

// id is the raw id of a request.
func id(body []byte) []byte {
	_, rest, _ := bytes.Cut(body, []byte(`"id":`))
	end := bytes.IndexAny(rest, ",}")
	return rest[:max(end, 0)]
}

func start(b *testing.B, configs []upstream.Config, connect bool) *instance.Instance {
	b.Helper()
	directory := b.TempDir()
	i, err := instance.Start(context.Background(), instance.Options{StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")),
		Configs: configs, Connect: connect, Open: browser.None, Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = i.Close() })
	return i
}

// BenchmarkToolsCall is one tools/call: to the server itself, through Go's reverse
// proxy (the floor for one hop), and through mcpproxy.
func BenchmarkToolsCall(b *testing.B) {
	for _, size := range []int{100, 10 << 10, 1 << 20} {
		server := httptest.NewServer(answering(size))
		b.Cleanup(server.Close)
		target, err := url.Parse(server.URL)
		if err != nil {
			b.Fatal(err)
		}
		reverse := httptest.NewServer(httputil.NewSingleHostReverseProxy(target))
		b.Cleanup(reverse.Close)
		i := start(b, []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: server.URL}}, true)
		u, err := i.Manager.Get("u")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := u.Machine().Wait(b.Context(), func(s *transitions.Snapshot) bool { return s.Region(states.Connection).State == states.Connected }); err != nil {
			b.Fatal(err)
		}
		face := httptest.NewServer(i.Proxy.Handler())
		b.Cleanup(face.Close)
		arguments := strings.Repeat("y", size)
		body := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"%s"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, arguments)
		for _, way := range []struct{ name, url string }{{"direct", server.URL}, {"reverse-proxy", reverse.URL}, {"mcpproxy", face.URL + "/mcp/u"}} {
			b.Run(fmt.Sprintf("%s/%dB", way.name, size), func(b *testing.B) { call(b, way.url, body, size) })
		}
	}
}

func call(b *testing.B, target string, body []byte, size int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	for b.Loop() {
		request, err := http.NewRequest(http.MethodPost, target, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo"} {
			request.Header.Set(name, value)
		}
		response, err := client.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || n < int64(size) {
			b.Fatalf("%s: %d bytes, %v", response.Status, n, err)
		}
	}
}

// BenchmarkIdleUpstream is the heap of an upstream that nobody has connected yet.
func BenchmarkIdleUpstream(b *testing.B) {
	const upstreams = 10_000
	var configs []upstream.Config
	for n := range upstreams {
		configs = append(configs, upstream.Config{Name: fmt.Sprintf("u%d", n), Transport: upstream.HTTP, URL: "http://127.0.0.1:9/"})
	}
	for b.Loop() {
		before := heap()
		goroutines := runtime.NumGoroutine()
		i := start(b, configs, false)
		b.ReportMetric(float64(heap()-before)/upstreams, "B/upstream")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		if err := i.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
