package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// play is a downstream client that does what a scenario is about.
func play(ctx context.Context, endpoint, scenario string, g given) error {
	c, err := connect(ctx, endpoint)
	if err != nil {
		return err
	}
	defer c.transport.Close()
	if err := c.list(ctx); err != nil {
		return err
	}
	switch scenario {
	case "initialize":
		return nil
	case "tools_call":
		return c.tool(ctx, "add_numbers", `{"a":5,"b":3}`)
	case "elicitation-sep1034-client-defaults":
		return c.tool(ctx, "test_client_elicitation_defaults", `{}`)
	case "sse-retry":
		return c.tool(ctx, "test_reconnection", `{}`)
	case "json-schema-2020-12-preservation":
		return c.echoSchema(ctx)
	case "http-standard-headers":
		return c.oneOfEach(ctx)
	case "http-custom-headers":
		for _, call := range g.ToolCalls {
			if err := c.tool(ctx, call.Name, string(call.Arguments)); err != nil {
				return err
			}
		}
		return nil
	case "sep-2322-client-request-state":
		return c.allTools(ctx, "{}")
	}
	return c.allTools(ctx, `{"region":"us-west1"}`)
}

// client is one MCP session that keeps results as they came.
type client struct {
	transport *transport.StreamableHTTP
	next      int64
	tools     []json.RawMessage
	offers    map[string]json.RawMessage
}

func connect(ctx context.Context, endpoint string) (*client, error) {
	t, err := transport.NewStreamableHTTP(endpoint)
	if err != nil {
		return nil, err
	}
	c := &client{transport: t}
	t.SetRequestHandler(answer)
	var hello struct {
		Version      string                     `json:"protocolVersion"`
		Capabilities map[string]json.RawMessage `json:"capabilities"`
	}
	err = c.request(ctx, "initialize", map[string]any{"protocolVersion": "2025-11-25",
		"clientInfo": map[string]string{"name": "conformance", "version": "1"},
		"capabilities": map[string]any{"elicitation": map[string]any{"form": map[string]any{"applyDefaults": true}},
			"sampling": map[string]any{}, "roots": map[string]any{}}}, &hello)
	if err != nil {
		return nil, err
	}
	c.offers = hello.Capabilities
	t.SetProtocolVersion(hello.Version)
	return c, t.SendNotification(ctx, mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION,
		Notification: mcp.Notification{Method: "notifications/initialized"}})
}

// request sends one request and reads its result.
func (c *client) request(ctx context.Context, method string, params, result any) error {
	c.next++
	response, err := c.transport.SendRequest(ctx, transport.JSONRPCRequest{
		JSONRPC: mcp.JSONRPC_VERSION,
		ID:      mcp.NewRequestId(c.next),
		Method:  method,
		Params:  params,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if response.Error != nil {
		return fmt.Errorf("%s: %s (%d)", method, response.Error.Message, response.Error.Code)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(response.Result, result)
}

func (c *client) list(ctx context.Context) error {
	if c.offers["tools"] == nil {
		return nil
	}
	var listed struct {
		Tools []json.RawMessage `json:"tools"`
	}
	err := c.request(ctx, "tools/list", map[string]any{}, &listed)
	c.tools = listed.Tools
	return err
}

func (c *client) tool(ctx context.Context, name, arguments string) error {
	return c.request(ctx, "tools/call", map[string]any{"name": name, "arguments": json.RawMessage(arguments)}, nil)
}

// allTools calls every tool that is listed, to the end of the list.
func (c *client) allTools(ctx context.Context, arguments string) error {
	var failures []error
	for _, raw := range c.tools {
		var tool struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(raw, &tool); err != nil {
			return err
		}
		failures = append(failures, c.tool(ctx, tool.Name, arguments))
	}
	return errors.Join(failures...)
}

// echoSchema gives a tool the schema of another, as it came through the proxy.
func (c *client) echoSchema(ctx context.Context) error {
	for _, raw := range c.tools {
		var tool struct {
			Name   string          `json:"name"`
			Schema json.RawMessage `json:"inputSchema"`
		}
		if err := json.Unmarshal(raw, &tool); err != nil {
			return err
		}
		if tool.Name != "json_schema_echo" {
			arguments, err := json.Marshal(map[string]json.RawMessage{"schema": tool.Schema})
			if err != nil {
				return err
			}
			return c.tool(ctx, "json_schema_echo", string(arguments))
		}
	}
	return errors.New("no tool has a schema to echo")
}

// oneOfEach makes each kind of request that has a name.
func (c *client) oneOfEach(ctx context.Context) error {
	if err := c.allTools(ctx, "{}"); err != nil {
		return err
	}
	var resources struct {
		Resources []struct {
			URI string `json:"uri"`
		} `json:"resources"`
	}
	if err := c.request(ctx, "resources/list", map[string]any{}, &resources); err != nil {
		return err
	}
	for _, resource := range resources.Resources {
		if err := c.request(ctx, "resources/read", map[string]any{"uri": resource.URI}, nil); err != nil {
			return err
		}
	}
	var prompts struct {
		Prompts []struct {
			Name string `json:"name"`
		} `json:"prompts"`
	}
	if err := c.request(ctx, "prompts/list", map[string]any{}, &prompts); err != nil {
		return err
	}
	for _, prompt := range prompts.Prompts {
		if err := c.request(ctx, "prompts/get", map[string]any{"name": prompt.Name}, nil); err != nil {
			return err
		}
	}
	return nil
}
