package instance_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcpproxy/instance"
	"mcpproxy/metrics"
	"mcpproxy/states"
	"mcpproxy/store"
	"mcpproxy/telemetry"
	"mcpproxy/tests/journals"
	"mcpproxy/tests/oauthserver"
	"mcpproxy/upstream"

	logs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OpenTelemetry collector that keeps what it is sent.
type collector struct {
	*testing.T
	*httptest.Server
	mu    sync.Mutex
	spans []*spans.Span
	logs  string
}

func newCollector(t *testing.T) *collector {
	c := &collector{T: t}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		c.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.URL.Path {
	case "/v1/traces":
		var request traces.ExportTraceServiceRequest
		if err := proto.Unmarshal(text, &request); err != nil {
			c.Error(err)
		}
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
	case "/v1/logs":
		var request logs.ExportLogsServiceRequest
		if err := proto.Unmarshal(text, &request); err != nil {
			c.Error(err)
		}
		c.logs += request.String()
	}
}

// The trace that a client names goes through the proxy: the upstream is told a span
// of the same trace, in the header and in _meta, and all else is as it came.
func TestATraceGoesThroughTheProxy(t *testing.T) {
	collected := newCollector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.URL)
	server, err := oauthserver.Start(t.Context(), oauthserver.Options{NoAuth: true, Sessions: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	target, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	var header, body string
	forward := httputil.NewSingleHostReverseProxy(target)
	forward.Transport = &http.Transport{}
	t.Cleanup(forward.Transport.(*http.Transport).CloseIdleConnections)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if bytes.Contains(text, []byte("tools/call")) {
			header, body = r.Header.Get("Traceparent"), string(text)
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)

	quiet := slog.New(slog.DiscardHandler)
	observer, err := telemetry.Start(t.Context(), os.LookupEnv, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	i, err := instance.Start(t.Context(), instance.Options{
		StorePath: filepath.Join(directory, "store.db"), Keys: store.FileKeys(filepath.Join(directory, "key")), Connect: true,
		Configs: []upstream.Config{{Name: "u", Transport: upstream.HTTP, URL: front.URL + "/mcp", Settings: states.DefaultSettings()}},
		Logger:  observer.Logger(quiet), Version: "test", Metrics: metrics.New("test"), Telemetry: observer, Observe: journals.Watch(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	face := httptest.NewServer(observer.Accept(i.Proxy.Handler()))
	session := post(t, face.URL+"/mcp/u", "", `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`).Header.Get("Mcp-Session-Id")
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	answer := post(t, face.URL+"/mcp/u", session, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"traceparent":"00-`+trace+`-`+parent+`-01","baggage":"k=v"},"arguments":{"text":"x"  }}}`)
	if text, _ := io.ReadAll(answer.Body); !bytes.Contains(text, []byte(`"x"`)) {
		t.Errorf("the answer is %s", text)
	}
	scraped := post(t, face.URL+"/metrics", "", "")
	if scraped.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /metrics: %s", scraped.Status)
	}
	for _, line := range []string{`mcpproxy_upstream_state{region="connection",state="Connected",upstream="u"} 1`, `mcpproxy_calls_total{outcome="ok",upstream="u"} 1`,
		`mcpproxy_transitions_total{event="Handshaken",from="Connecting",region="connection",to="Connected"} 1`} {
		awaitMetric(t, face.URL+"/metrics", line)
	}
	face.Close()
	if err := errors.Join(i.Close(), observer.Stop(t.Context())); err != nil {
		t.Error(err)
	}

	if !strings.HasPrefix(header, "00-"+trace+"-") || strings.Contains(header, parent) {
		t.Errorf("the upstream's header names %q", header)
	}
	if want := `"params":{"name":"echo","_meta":{"traceparent":"` + header + `","baggage":"k=v"},"arguments":{"text":"x"  }}`; !strings.Contains(body, want) {
		t.Errorf("the upstream got %s, without %s", body, want)
	}
	names := map[string]bool{}
	for _, span := range collected.spans {
		names[span.Name] = true
	}
	if !names["tools/call u"] || !names["job connect"] || !names["job load"] || names["job watch"] {
		t.Errorf("spans %v", names)
	}
	if !strings.Contains(collected.logs, "Handshaken") {
		t.Error("the collector was not sent the log of the transition")
	}
}

// awaitMetric waits until a line is there: a transition is counted by an observer that
// holds up neither the machine nor a call that the new state lets through, and so
// perhaps after the answer.
func awaitMetric(t *testing.T, address, line string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(got.Body)
		if err := errors.Join(err, got.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(line+"\n")) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("/metrics does not say %s:\n%s", line, text)
		}
	}
}
