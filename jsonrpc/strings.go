package jsonrpc

import (
	"bytes"
	"math/bits"
)

// Where quotes are at least sparse bytes apart, searching for the next one is
// quickest; where they are closer, as in JSON inside a string, a walk of stretch
// bytes is.
const (
	sparse  = 64
	stretch = 4096
)

// stringEnd returns the place behind the string that begins at, or -1 where it
// does not end.
func stringEnd(text []byte, at int) int {
	at++
	// Names and short values end before a search would have begun.
	for near := min(at+16, len(text)); at < near; at++ {
		if text[at] == '"' {
			return at + 1
		}
		if text[at] == '\\' {
			break
		}
	}
	for { // at is not escaped
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			return -1
		}
		escapes := 0
		for escapes < quote && text[at+quote-1-escapes] == '\\' {
			escapes++
		}
		at += quote + 1
		if escapes%2 == 0 {
			return at
		}
		if quote < sparse {
			ended := false
			if at, ended = walkString(text, at); ended {
				return at
			}
		}
	}
}

// walkString goes through the next stretch of a string, at one speed whatever
// stands in it. It returns the place behind the string where that ended in it, and
// one that is not escaped where not.
func walkString(text []byte, at int) (next int, ended bool) {
	far, ends, escaped := walk(text[at:min(at+stretch, len(text))])
	if at += far; ends != 0 {
		return at + bits.TrailingZeros64(ends) + 1, true
	}
	return min(at+int(escaped), len(text)), false
}
