package fidelity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"mcpproxy/telemetry"
)

// traced keeps the traceparent headers that calls came with.
type traced struct {
	next    http.Handler
	mu      sync.Mutex
	headers []string
}

func (s *traced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body) // what is cut is no message
	if bytes.Contains(text, []byte(`"tools/call"`)) {
		s.mu.Lock()
		s.headers = append(s.headers, r.Header.Get("Traceparent"))
		s.mu.Unlock()
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	s.next.ServeHTTP(w, r)
}

func (s *traced) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.headers) == 0 {
		return ""
	}
	return s.headers[len(s.headers)-1]
}

// The trace that a client names goes on to the upstream with the proxy's span, in
// _meta on every transport, and in the header where there is one.
func TestTracesGoOnOverEveryTransport(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(collector.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	observer, err := telemetry.Start(t.Context(), os.LookupEnv, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := observer.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	seen := &traced{next: overHTTP()}
	connect := serve(t, seen, upstreams, observer)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for number, upstream := range upstreams {
		for _, downstream := range downstreams {
			t.Run(downstream+" to "+upstream, func(t *testing.T) {
				c := connect(t, downstream, upstream)
				got := c.request(t.Context(), fmt.Sprint(number+1), "tools/call", params(c, "odd", 0, `"traceparent":"00-`+trace+`-`+parent+`-01","tracestate":"a=b","baggage":"k=v"`))()
				var received string
				if err := json.Unmarshal([]byte(member(t, member(t, got, "result"), "received")), &received); err != nil {
					t.Fatalf("%v in %s", err, got)
				}
				told := regexp.MustCompile(`"traceparent":"(00-` + trace + `-[0-9a-f]{16}-01)"`).FindStringSubmatch(received)
				if told == nil || strings.Contains(received, parent) || !strings.Contains(received, `"tracestate":"a=b"`) || !strings.Contains(received, `"baggage":"k=v"`) {
					t.Fatalf("the server was given %s", received)
				}
				if header := seen.last(); upstream != "stdio" && header != told[1] {
					t.Errorf("the header names %q, and _meta %q", header, told[1])
				}
			})
		}
	}
}
