package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Drop takes the members of a raw object out whose names drop picks, and leaves
// the others byte for byte as they are. What is no object comes back as it is.
func Drop(object json.RawMessage, drop func(name string) bool) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return object
	}
	kept := json.RawMessage{'{'}
	for decoder.More() {
		begin := int(decoder.InputOffset())
		key, err := decoder.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return object
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return object
		}
		if drop(name) {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		member := bytes.TrimLeft(object[begin:decoder.InputOffset()], ", \t\r\n")
		kept = append(kept, member...)
	}
	return append(kept, '}')
}
