package wire

import (
	"bytes"
	"encoding/json"
	"strings"

	"mcpproxy/jsonrpc"
)

// reserved begins the names in _meta that belong to the stateless protocol.
const reserved = "io.modelcontextprotocol/"

// withoutMeta takes out what a caller of the stateless protocol says of itself in
// each request: on a connection with a handshake it would contradict what was
// agreed on there.
func withoutMeta(params json.RawMessage) json.RawMessage {
	if !bytes.Contains(params, []byte(reserved)) {
		return params
	}
	meta := jsonrpc.Member(params, "_meta")
	if meta == nil {
		return params
	}
	return jsonrpc.Put(params, jsonrpc.Drop(meta, func(name string) bool { return strings.HasPrefix(name, reserved) }), "_meta")
}
