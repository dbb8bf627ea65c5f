package jsonrpc

import "encoding/json"

// Drop takes the members of a raw object out whose names drop picks, and leaves
// the others byte for byte as they are. What is no object comes back as it is.
func Drop(object json.RawMessage, drop func(name string) bool) json.RawMessage {
	if at := space(object, 0); at >= len(object) || object[at] != '{' {
		return object
	}
	kept := json.RawMessage{'{'}
	for m := range spans(object) {
		if drop(m.name) {
			continue
		}
		if len(kept) > 1 {
			kept = append(kept, ',')
		}
		kept = append(kept, object[m.key:m.end]...)
	}
	return append(kept, '}')
}
