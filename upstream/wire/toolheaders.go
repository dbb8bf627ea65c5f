package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"sync"
	"sync/atomic"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// parameterHeaders knows which parameters of which tools a server wants repeated
// in headers (MCP 2026-07-28 transports, x-mcp-header).
type parameterHeaders struct {
	mu    sync.Mutex                           // of who notes
	tools atomic.Pointer[map[string]*mcp.Tool] // those that want any; the map is immutable
}

// of returns the headers of one tools/call.
func (h *parameterHeaders) of(params *jsonrpc.Object) map[string]string {
	tools := h.tools.Load()
	if tools == nil {
		return nil
	}
	name, _ := params.String("name")
	tool := (*tools)[name]
	if tool == nil {
		return nil
	}
	return mcp.GenerateParamHeaders(tool, params.Raw)
}

func (h *parameterHeaders) note(name string, tool *mcp.Tool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := map[string]*mcp.Tool{}
	if before := h.tools.Load(); before != nil {
		maps.Copy(next, *before)
	}
	delete(next, name)
	if tool != nil {
		next[name] = tool
	}
	h.tools.Store(&next)
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
		c.endpoint.logger.Warn("a tool is left out, as the headers that it wants cannot be sent", "tool", tool.Name, "error", err)
		c.headers.note(tool.Name, nil)
		return false
	}
	c.headers.note(tool.Name, &tool)
	return true
}
