package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Splice replaces the value at a path of object members in raw JSON and leaves
// every other byte alone. It returns the value that was there, or nil (and raw
// itself) where there is none.
func Splice(raw json.RawMessage, value json.RawMessage, path ...string) (spliced, old json.RawMessage) {
	if !bytes.Contains(raw, []byte(path[len(path)-1])) {
		return raw, nil
	}
	begin, end, found := locate(raw, path)
	if !found {
		return raw, nil
	}
	return replace(raw, value, begin, end), raw[begin:end]
}

// locate finds the bytes of the value at path.
func locate(raw []byte, path []string) (begin, end int, found bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; depth++ {
		if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
			return 0, 0, false
		}
		if !seek(decoder, path[depth]) {
			return 0, 0, false
		}
		if depth == len(path)-1 {
			break
		}
	}
	var value json.RawMessage
	if decoder.Decode(&value) != nil {
		return 0, 0, false
	}
	end = int(decoder.InputOffset())
	return end - len(value), end, true
}

// seek moves behind the name of a member of the object that the decoder is in.
func seek(decoder *json.Decoder, name string) bool {
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return false
		}
		if key == name {
			return true
		}
		var skipped json.RawMessage
		if decoder.Decode(&skipped) != nil {
			return false
		}
	}
	return false
}
