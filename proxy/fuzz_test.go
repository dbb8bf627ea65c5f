package proxy_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
)

// Whatever a client sends gets an answer, and no upstream is asked for what is no
// request.
func FuzzDownstream(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__echo"}}`, "")
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, "2026-07-28")
	f.Add(`[{}]`, "2025-03-26")
	f.Fuzz(func(t *testing.T, body, version string) {
		a, _ := twoUpstreams()
		p := proxy.New(proxy.Options{Upstreams: fakes{a}})
		defer p.Close()
		request := httptest.NewRequest(http.MethodPost, "http://localhost/mcp", strings.NewReader(body))
		request.Header.Set("Mcp-Protocol-Version", version)
		recorder := httptest.NewRecorder()
		p.Handler().ServeHTTP(recorder, request)
		if recorder.Code >= 500 {
			t.Errorf("%q is answered with %d", body, recorder.Code)
		}
		if _, err := jsonrpc.Decode([]byte(body)); err != nil && len(a.said()) > 0 {
			t.Errorf("%q reached an upstream", body)
		}
	})
}
