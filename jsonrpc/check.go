package jsonrpc

import "bytes"

// maxDepth bounds how deep values nest, as encoding/json does.
const maxDepth = 10_000

// check returns the place behind the value that begins at, or -1 where there is
// none. It holds the text to the grammar of JSON (RFC 8259) everywhere but inside
// strings, where it looks for their end only: what stands in them is for who reads
// them. So a text of long strings costs little more than finding the quotes.
func check(text []byte, at, depth int) int {
	if at >= len(text) {
		return -1
	}
	switch c := text[at]; {
	case c == '"':
		return stringEnd(text, at)
	case depth > maxDepth && (c == '{' || c == '['):
		return -1
	case c == '{':
		return checkObject(text, at, depth, nil)
	case c == '[':
		return checkArray(text, at, depth)
	case c == '-' || '0' <= c && c <= '9':
		return checkNumber(text, at)
	case c == 't':
		return checkWord(text, at, "true")
	case c == 'f':
		return checkWord(text, at, "false")
	case c == 'n':
		return checkWord(text, at, "null")
	}
	return -1
}

// checkObject notes the members into into, if that is set. What it notes is
// relative to at.
func checkObject(text []byte, at, depth int, into *Object) int {
	begin := at
	at = space(text, at+1)
	if at < len(text) && text[at] == '}' {
		return at + 1
	}
	for at < len(text) && text[at] == '"' {
		p := place{key: int32(at - begin)}
		if at = stringEnd(text, at); at < 0 {
			return -1
		}
		p.nameEnd = int32(at - begin)
		if at = space(text, at); at >= len(text) || text[at] != ':' {
			return -1
		}
		at = space(text, at+1)
		p.value = int32(at - begin)
		if at = check(text, at, depth+1); at < 0 {
			return -1
		}
		if into != nil {
			p.end = int32(at - begin)
			into.note(p)
		}
		if at = space(text, at); at >= len(text) {
			return -1
		}
		if text[at] == '}' {
			return at + 1
		}
		if text[at] != ',' {
			return -1
		}
		at = space(text, at+1)
	}
	return -1
}

func checkArray(text []byte, at, depth int) int {
	at = space(text, at+1)
	if at < len(text) && text[at] == ']' {
		return at + 1
	}
	for {
		if at = check(text, at, depth+1); at < 0 {
			return -1
		}
		if at = space(text, at); at >= len(text) {
			return -1
		}
		if text[at] == ']' {
			return at + 1
		}
		if text[at] != ',' {
			return -1
		}
		at = space(text, at+1)
	}
}

func checkNumber(text []byte, at int) int {
	if text[at] == '-' {
		at++
	}
	if at < len(text) && text[at] == '0' {
		at++
	} else if at = digits(text, at); at < 0 {
		return -1
	}
	if at < len(text) && text[at] == '.' {
		if at = digits(text, at+1); at < 0 {
			return -1
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		if at++; at < len(text) && (text[at] == '+' || text[at] == '-') {
			at++
		}
		return digits(text, at)
	}
	return at
}

// digits returns the place behind at least one digit, or -1.
func digits(text []byte, at int) int {
	begin := at
	for at < len(text) && '0' <= text[at] && text[at] <= '9' {
		at++
	}
	if at == begin {
		return -1
	}
	return at
}

func checkWord(text []byte, at int, word string) int {
	if !bytes.HasPrefix(text[at:], []byte(word)) {
		return -1
	}
	return at + len(word)
}
