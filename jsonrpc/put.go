package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Put sets the value at a path of object members in raw JSON, making the objects
// on the way where they are missing, and leaves every other byte alone. What is no
// object on the way is replaced by one.
func Put(raw json.RawMessage, value json.RawMessage, path ...string) json.RawMessage {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || trimmed[0] != '{' {
		raw = json.RawMessage("{}")
	}
	begin, end, found := locate(raw, path[:1])
	if len(path) > 1 {
		value = Put(raw[begin:end], value, path[1:]...)
	}
	if found {
		return replace(raw, value, begin, end)
	}
	name, _ := json.Marshal(path[0]) // strings always encode
	opening := bytes.IndexByte(raw, '{') + 1
	member := append(append(name, ':'), value...)
	if rest := bytes.TrimSpace(raw[opening:]); rest[0] != '}' {
		member = append(member, ',')
	}
	return replace(raw, member, opening, opening)
}

func replace(raw, value json.RawMessage, begin, end int) json.RawMessage {
	spliced := make(json.RawMessage, 0, len(raw)-(end-begin)+len(value))
	return append(append(append(spliced, raw[:begin]...), value...), raw[end:]...)
}
