package jsonrpc

import (
	"bytes"
	"encoding/binary"
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

// A block is looked at eight bytes at a time, each in its lane of a word: a lane's highest
// bit says whether something is so of its byte.
const (
	block       = 32
	lanes       = 0x8080808080808080
	oddLanes    = 0x8000800080008000
	quotes      = 0x2222222222222222
	backslashes = 0x5c5c5c5c5c5c5c5c
)

// zeros marks the lanes in which x is 0.
func zeros(x uint64) uint64 { return ^((x&^lanes + ^uint64(lanes)) | x) & lanes }

// walkString goes through the next stretch of a string, at one speed however many
// quotes are escaped in it. It returns the place behind the string where that ended
// in it, and one that is not escaped where not.
func walkString(text []byte, at int) (next int, ended bool) {
	escaped := uint64(0) // the first lane: whether the byte at is escaped
	for limit := at + stretch; at < limit && len(text)-at >= block; at += block {
		t := text[at : at+block : at+block]
		w0, w1, w2, w3 := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint64(t[8:]), binary.LittleEndian.Uint64(t[16:]), binary.LittleEndian.Uint64(t[24:])
		b0, b1, b2, b3 := zeros(w0^backslashes), zeros(w1^backslashes), zeros(w2^backslashes), zeros(w3^backslashes)
		q0, q1, q2, q3 := zeros(w0^quotes), zeros(w1^quotes), zeros(w2^quotes), zeros(w3^quotes)
		// What stands behind a backslash is escaped, where no backslash is.
		e0, e1, e2, e3 := b0<<8|escaped, b1<<8|b0>>56, b2<<8|b1>>56, b3<<8|b2>>56
		if b0&e0|b1&e1|b2&e2|b3&e3 == 0 && q0&^e0|q1&^e1|q2&^e2|q3&^e3 == 0 {
			escaped = b3 >> 56
			continue
		}
		end := 0
		if end, escaped = walkBlock(t, escaped); end > 0 {
			return at + end, true
		}
	}
	return min(at+int(escaped>>7), len(text)), false
}

// walkBlock goes through a block that has runs of backslashes, or the end. It
// returns the place behind the string where that ended in it, and whether what comes
// next is escaped.
func walkBlock(t []byte, escaped uint64) (end int, next uint64) {
	for at := 0; at < block; at += 8 {
		word := binary.LittleEndian.Uint64(t[at:])
		quote, backslash := zeros(word^quotes), zeros(word^backslashes)
		// Each second backslash of a run is escaped, and what comes behind the run where
		// their number is odd. The subtraction takes a run as a whole, as its borrow
		// goes from lane to lane.
		escapes := backslash &^ escaped
		run := (escapes<<8 | oddLanes) - escapes ^ oddLanes
		if end := quote &^ (run ^ (backslash | escaped)); end != 0 {
			return at + bits.TrailingZeros64(end)/8 + 1, 0
		}
		escaped = (run & backslash) >> 63 << 7
	}
	return 0, escaped
}
