package jsonrpc

import (
	"bytes"
	"encoding/json"
)

// Beginning is what the first bytes of a long answer show.
type Beginning struct {
	// ID is nil where it does not stand before the result.
	ID json.RawMessage
	// Version says that the member jsonrpc stands there and is right.
	Version bool
	// Result is where the result begins, or -1 where there is none that is an object.
	Result int
}

// Begin reads the first bytes of an answer, up to its result.
func Begin(text []byte) Beginning {
	b := Beginning{Result: -1}
	at := space(text, 0)
	if at >= len(text) || text[at] != '{' {
		return b
	}
	for at = space(text, at+1); at < len(text) && text[at] == '"'; at = space(text, at+1) {
		key := at
		if at = stringEnd(text, at); at < 0 {
			return b
		}
		name, _ := unquote(text[key:at])
		if at = space(text, at); at >= len(text) || text[at] != ':' {
			return b
		}
		at = space(text, at+1)
		value := at
		if name == "result" {
			if value < len(text) && text[value] == '{' {
				b.Result = value
			}
			return b
		}
		if at = check(text, at, 2); at < 0 {
			return b
		}
		raw := text[value:at]
		switch {
		case name == "id" && b.ID == nil && validID(raw):
			b.ID = raw
		case name == "jsonrpc" && !b.Version && string(raw) == `"2.0"`:
			b.Version = true
		default:
			return b // no answer, or not as it has to be: for who reads the whole
		}
		if at = space(text, at); at >= len(text) || text[at] != ',' {
			return b
		}
	}
	return b
}

// Ending finds the end of an object that arrives in parts. The zero Ending is one
// at the object's beginning.
type Ending struct {
	depth            int
	inside, escaping bool // of a string; behind a backslash in it
}

// In looks through the next part. ended says that the object ends in it, before
// the place end.
func (e *Ending) In(part []byte) (end int, ended bool) {
	for at := 0; at < len(part); {
		if e.inside {
			at += e.inString(part[at:])
			continue
		}
		switch part[at] {
		case '"':
			e.inside = true
		case '{', '[':
			e.depth++
		case '}', ']':
			if e.depth--; e.depth == 0 {
				return at + 1, true
			}
		}
		at++
	}
	return 0, false
}

// inString returns how many bytes it has gone through: to the end of the string, to
// a quote in it, or to the part's end.
func (e *Ending) inString(part []byte) int {
	begin := 0
	if e.escaping {
		begin, e.escaping = 1, false
	}
	quote := bytes.IndexByte(part[begin:], '"')
	end := begin + quote
	if quote < 0 {
		end = len(part)
	}
	escapes := 0
	for end-escapes > begin && part[end-1-escapes] == '\\' {
		escapes++
	}
	if quote < 0 {
		e.escaping = escapes%2 == 1
		return end
	}
	e.inside = escapes%2 == 1
	return end + 1
}
