package wire

import (
	"encoding/json"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// withMeta puts what the stateless protocol wants in every request into its
// parameters (MCP 2026-07-28 basic, _meta). What the caller declared of itself
// stays; the revision is that of this connection.
func withMeta(params json.RawMessage, version string, client Client, call relay.Call) json.RawMessage {
	quoted, _ := json.Marshal(version) // strings always encode
	given := jsonrpc.Member(params, "_meta")
	meta := jsonrpc.Put(given, quoted, mcp.MetaKeyProtocolVersion)
	if jsonrpc.Member(given, mcp.MetaKeyClientInfo) == nil {
		info, _ := json.Marshal(map[string]string{"name": client.Name, "version": client.Version}) // strings always encode
		meta = jsonrpc.Put(meta, info, mcp.MetaKeyClientInfo)
	}
	if jsonrpc.Member(given, mcp.MetaKeyClientCapabilities) == nil {
		capabilities := call.ClientCapabilities
		if capabilities == nil {
			capabilities = json.RawMessage("{}")
		}
		meta = jsonrpc.Put(meta, capabilities, mcp.MetaKeyClientCapabilities)
	}
	if call.LogLevel != "" && jsonrpc.Member(given, mcp.MetaKeyLogLevel) == nil {
		level, _ := json.Marshal(call.LogLevel) // strings always encode
		meta = jsonrpc.Put(meta, level, mcp.MetaKeyLogLevel)
	}
	return jsonrpc.Put(params, meta, "_meta")
}

// discovered is the answer to server/discover (MCP 2026-07-28 server/discover).
type discovered struct {
	SupportedVersions []string                   `json:"supportedVersions"`
	Capabilities      json.RawMessage            `json:"capabilities"`
	Instructions      string                     `json:"instructions"`
	Meta              map[string]json.RawMessage `json:"_meta"`
}

func (d *discovered) server(version string) Server {
	s := Server{Info: d.Meta[mcp.MetaKeyServerInfo], Capabilities: d.Capabilities, Instructions: d.Instructions, ProtocolVersion: version}
	if s.Info == nil {
		s.Info = json.RawMessage(`{"name":"","version":""}`)
	}
	if s.Capabilities == nil {
		s.Capabilities = json.RawMessage("{}")
	}
	return s
}

// unsupported is the data of an error about the revision (MCP 2026-07-28
// versioning).
type unsupported struct {
	Supported []string `json:"supported"`
}

// stateless returns the newest revision without a handshake that both sides
// speak, or "".
func stateless(supported []string) string {
	if version := mcp.NegotiateMutuallySupportedVersion(supported); mcp.IsModernProtocol(version) {
		return version
	}
	return ""
}
