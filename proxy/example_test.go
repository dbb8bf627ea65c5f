package proxy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"mcpproxy/jsonrpc"
	"mcpproxy/proxy"
	"mcpproxy/relay"
)

// clock is an upstream of one's own, in place of an MCP server.
type clock struct{}

func (clock) Name() string { return "clock" }

func (clock) Call(_ context.Context, c relay.Call) (json.RawMessage, error) {
	if c.Method != "tools/call" {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "only tools are here"}
	}
	return json.RawMessage(`{"content":[{"type":"text","text":"noon"}]}`), nil
}

func (clock) Notify(context.Context, string, json.RawMessage) error { return nil }

func (clock) Catalog() *relay.Catalog {
	tool := relay.Item{Name: "now", Raw: json.RawMessage(`{"name":"now","inputSchema":{"type":"object"}}`)}
	return &relay.Catalog{Generation: 1, Capabilities: json.RawMessage(`{"tools":{}}`), Tools: []relay.Item{tool}}
}

func (clock) Watch(func(string, json.RawMessage)) func() { return func() {} }

// clocks are all upstreams of the example.
type clocks struct{}

func (clocks) Upstream(name string) (relay.Upstream, bool) { return clock{}, name == "clock" }
func (clocks) Names() []string                             { return []string{"clock"} }
func (clocks) Watch(func()) func()                         { return func() {} }

// The proxy in front of an upstream that is no MCP server, for a client on two streams.
func ExampleServer_ServeStdio() {
	s := proxy.New(proxy.Options{Upstreams: clocks{}, Version: "1"})
	defer s.Close()
	in := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"clock__now"}}
`)
	var out bytes.Buffer
	if err := s.ServeStdio(context.Background(), "", in, &out); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(out.String()) {
		var m struct {
			ID     int
			Result struct {
				ProtocolVersion string
				Content         []struct{ Text string }
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			fmt.Println(err)
		}
		fmt.Println(m.ID, m.Result.ProtocolVersion, m.Result.Content)
	}
	// Unordered output:
	// 1 2025-11-25 []
	// 2  [{noon}]
}
