package proxy

import (
	"encoding/json"

	"mcpproxy/jsonrpc"
)

// rename replaces the name in an object and leaves all else as it is.
func rename(object json.RawMessage, value string) json.RawMessage {
	quoted, _ := json.Marshal(value) // strings always encode
	return replaceMember(object, "name", quoted)
}

func replaceMember(object json.RawMessage, name string, value json.RawMessage) json.RawMessage {
	replaced, _ := jsonrpc.Splice(object, value, name)
	return replaced
}
