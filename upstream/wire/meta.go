package wire

import (
	"bytes"
	"encoding/json"
	"slices"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"

	"github.com/mark3labs/mcp-go/mcp"
)

// selfDescription is what the requests of a connection say of themselves, encoded.
type selfDescription struct{ version, info json.RawMessage }

func describe(version string, client Client) selfDescription {
	quoted, _ := json.Marshal(version)                                                         // strings always encode
	info, _ := json.Marshal(map[string]string{"name": client.Name, "version": client.Version}) // and so do these
	return selfDescription{quoted, info}
}

// meta is what the stateless protocol wants in _meta of every request (MCP
// 2026-07-28 basic, _meta), or nil where given has it all. What the caller declared
// of itself stays; the revision is that of this connection, and a progress token is
// replaced by token.
func (d *selfDescription) meta(given json.RawMessage, call *relay.Call, token json.RawMessage) json.RawMessage {
	members := jsonrpc.Look(given)
	meta := given
	put := func(name string, value json.RawMessage) { meta = jsonrpc.Put(meta, value, name) }
	if !bytes.Equal(members.Get(mcp.MetaKeyProtocolVersion), d.version) {
		put(mcp.MetaKeyProtocolVersion, d.version)
	}
	if members.Get(mcp.MetaKeyClientInfo) == nil {
		put(mcp.MetaKeyClientInfo, d.info)
	}
	if members.Get(mcp.MetaKeyClientCapabilities) == nil {
		capabilities := call.ClientCapabilities
		if capabilities == nil {
			capabilities = json.RawMessage("{}")
		}
		put(mcp.MetaKeyClientCapabilities, capabilities)
	}
	if call.LogLevel != "" && members.Get(mcp.MetaKeyLogLevel) == nil {
		level, _ := json.Marshal(call.LogLevel) // strings always encode
		put(mcp.MetaKeyLogLevel, level)
	}
	if members.Get(progressToken) != nil {
		put(progressToken, token)
	}
	if len(meta) == len(given) && (len(meta) == 0 || &meta[0] == &given[0]) {
		return nil
	}
	return meta
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
		s.Info = json.RawMessage(unnamed)
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

// newerOnly reports whether the server names revisions of this era, and none of them
// is spoken here: then it need not be asked in the other era's way.
func (u *unsupported) newerOnly() bool {
	return len(u.Supported) > 0 && newestStateless(u.Supported) == "" && mcp.IsModernProtocol(slices.Min(u.Supported))
}

// newestStateless returns the newest revision without a handshake that both sides
// speak, or "".
func newestStateless(supported []string) string {
	if version := mcp.NegotiateMutuallySupportedVersion(supported); mcp.IsModernProtocol(version) {
		return version
	}
	return ""
}
