package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// parameterHeaders knows which parameters of which tools a server wants repeated
// in headers (MCP 2026-07-28 transports, x-mcp-header).
type parameterHeaders struct {
	mu    sync.RWMutex
	tools map[string]*mcp.Tool // those that want any
}

// of returns the headers of one tools/call.
func (h *parameterHeaders) of(params json.RawMessage) map[string]string {
	name, _ := jsonrpc.String(params, "name")
	h.mu.RLock()
	tool := h.tools[name]
	h.mu.RUnlock()
	if tool == nil {
		return nil
	}
	return mcp.GenerateParamHeaders(tool, params)
}

func (h *parameterHeaders) note(name string, tool *mcp.Tool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tools == nil {
		h.tools = map[string]*mcp.Tool{}
	}
	delete(h.tools, name)
	if tool != nil {
		h.tools[name] = tool
	}
}

// listTools reads a page of tools and leaves out those whose headers cannot be
// sent, as the protocol demands.
func (c *statelessHTTP) listTools(ctx context.Context, call relay.Call) (json.RawMessage, error) {
	result, err := c.send(ctx, call)
	if err != nil || !bytes.Contains(result, []byte("x-mcp-header")) {
		return result, err
	}
	var page struct {
		Tools []json.RawMessage `json:"tools"`
	}
	if json.Unmarshal(result, &page) != nil {
		return result, nil // whoever reads the list says what is wrong with it
	}
	kept := []json.RawMessage{}
	for _, raw := range page.Tools {
		if c.usable(raw) {
			kept = append(kept, raw)
		}
	}
	encoded, err := json.Marshal(kept)
	if err != nil {
		return nil, err
	}
	return jsonrpc.Put(result, encoded, "tools"), nil
}

// usable notes a tool's headers, and reports whether they can be sent.
func (c *statelessHTTP) usable(raw json.RawMessage) bool {
	if !bytes.Contains(raw, []byte("x-mcp-header")) {
		return true
	}
	var tool mcp.Tool
	if err := json.Unmarshal(raw, &tool); err != nil {
		return true
	}
	if err := mcp.ValidateParamHeaderAnnotations(&tool); err != nil {
		c.logger.Warn("a tool is left out, as the headers that it wants cannot be sent", "tool", tool.Name, "error", err)
		c.headers.note(tool.Name, nil)
		return false
	}
	c.headers.note(tool.Name, &tool)
	return true
}
