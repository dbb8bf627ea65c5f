package jsonrpc

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Members walks through the members of a raw JSON object, in order, with their
// names and raw values. It looks at each byte once and copies nothing. What is no
// valid object yields what there is of it up to the mistake.
func Members(object json.RawMessage) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for m := range spans(object) {
			if !yield(m.name, object[m.value:m.end]) {
				return
			}
		}
	}
}

// Member returns the raw value at a path of object members, or nil. Of members of
// the same name it is the last, as most decoders have it.
func Member(object json.RawMessage, path ...string) json.RawMessage {
	begin, end, found := locate(object, path)
	if !found {
		return nil
	}
	return object[begin:end]
}

// String returns the string at a path of object members; ok is false where there
// is none.
func String(object json.RawMessage, path ...string) (text string, ok bool) {
	return unquote(Member(object, path...))
}

// span is one member: where its name, its value and its end are.
type span struct {
	name            string
	key, value, end int
}

func spans(object []byte) iter.Seq[span] {
	return func(yield func(span) bool) {
		at := space(object, 0)
		if at >= len(object) || object[at] != '{' {
			return
		}
		for at = space(object, at+1); at < len(object) && object[at] == '"'; at = space(object, at+1) {
			m := span{key: at}
			nameEnd := skipString(object, at)
			m.value = space(object, nameEnd)
			if m.value >= len(object) || object[m.value] != ':' {
				return
			}
			m.value = space(object, m.value+1)
			m.end = skipValue(object, m.value)
			if m.end <= m.value {
				return
			}
			if raw := object[at+1 : nameEnd-1]; bytes.IndexByte(raw, '\\') < 0 {
				m.name = string(raw)
			} else if json.Unmarshal(object[at:nameEnd], &m.name) != nil {
				return
			}
			if !yield(m) {
				return
			}
			if at = space(object, m.end); at >= len(object) || object[at] != ',' {
				return
			}
		}
	}
}

func space(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

// skipString returns the place behind the string that begins at.
func skipString(text []byte, at int) int {
	for end := at + 1; ; {
		quote := bytes.IndexByte(text[end:], '"')
		if quote < 0 {
			return len(text)
		}
		end += quote
		escapes := 0
		for text[end-1-escapes] == '\\' {
			escapes++
		}
		if end++; escapes%2 == 0 {
			return end
		}
	}
}

// skipValue returns the place behind the value that begins at.
func skipValue(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			at = skipString(text, at)
		case '{', '[':
			depth++
			at++
			continue
		case '}', ']':
			if depth == 0 {
				return at
			}
			depth--
			at++
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
			at++
			continue
		default:
			for at < len(text) && bytes.IndexByte([]byte(",:]} \t\n\r"), text[at]) < 0 {
				at++
			}
		}
		if depth == 0 {
			return at
		}
	}
	return at
}

// locate finds the bytes of the value at path.
func locate(raw []byte, path []string) (begin, end int, found bool) {
	offset := 0
	for depth, name := range path {
		found = false
		for m := range spans(raw[offset:]) {
			if m.name == name {
				begin, end, found = offset+m.value, offset+m.end, true
			}
		}
		if !found {
			return 0, 0, false
		}
		if depth < len(path)-1 {
			raw, offset = raw[:end], begin
		}
	}
	return begin, end, found
}
