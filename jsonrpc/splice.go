package jsonrpc

import "encoding/json"

// Splice replaces the value at a path of object members in raw JSON and leaves
// every other byte alone. It returns the value that was there, or nil (and raw
// itself) where there is none.
func Splice(raw json.RawMessage, value json.RawMessage, path ...string) (spliced, old json.RawMessage) {
	begin, end, found := locate(raw, path)
	if !found {
		return raw, nil
	}
	return replace(raw, value, begin, end), raw[begin:end]
}
