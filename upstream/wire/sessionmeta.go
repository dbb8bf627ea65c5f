package wire

import (
	"bytes"
	"encoding/json"
	"strings"

	"mcpproxy/jsonrpc"
)

// reserved begins the names in _meta that belong to the stateless protocol.
const reserved = "io.modelcontextprotocol/"

// progressToken is the member of _meta that asks for progress notifications.
const progressToken = "progressToken"

// sessionMeta is _meta for a connection with a handshake, or nil where given can
// stay. What a caller of the stateless protocol says of itself in each request
// would contradict what was agreed on in the handshake, and is taken out; a
// progress token is replaced by token.
func sessionMeta(given, token json.RawMessage) json.RawMessage {
	if given == nil {
		return nil
	}
	meta := given
	if bytes.Contains(given, []byte(reserved)) {
		meta = jsonrpc.Drop(meta, func(name string) bool { return strings.HasPrefix(name, reserved) })
	}
	spliced, old := jsonrpc.Splice(meta, token, progressToken)
	if old == nil && len(spliced) == len(given) {
		return nil
	}
	return spliced
}
