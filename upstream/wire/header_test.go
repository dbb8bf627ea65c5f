package wire_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// A server whose tool wants another header than it did is read again, and called once
// more with the header that it wants now.
func TestAMismatchOfHeadersHasTheToolsReadAnew(t *testing.T) {
	header := "Region" // that the tool wants
	var asked []string
	conn, _, err := connectHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m, err := jsonrpc.Decode(body)
		if err != nil {
			t.Error(err)
			return
		}
		asked = append(asked, m.Method)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case m.Method == "server/discover":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`, m.ID)
		case m.Method == "tools/list":
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":%q}}}}]}}`, m.ID, header)
		case r.Header.Get("Mcp-Param-"+header) != "x":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32020,"message":"the header is missing"}}`, m.ID)
		default:
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[]}}`, m.ID)
		}
	}), "")
	if err != nil {
		t.Fatal(err)
	}
	call := relay.Call{Method: "tools/call", Params: json.RawMessage(`{"name":"t","arguments":{"a":"x"}}`)}
	if _, err := conn.Call(t.Context(), relay.Call{Method: "tools/list"}); err != nil {
		t.Fatal(err)
	}
	for _, header = range []string{"Region", "Zone"} {
		if _, err := conn.Call(t.Context(), call); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
	if want := []string{"server/discover", "tools/list", "tools/call", "tools/call", "tools/list", "tools/call"}; !slices.Equal(asked, want) {
		t.Errorf("it was asked %q, want %q", asked, want)
	}
}
