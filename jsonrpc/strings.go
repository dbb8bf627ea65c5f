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

// A block is looked at eight bytes at a time, each in its lane of a word: a lane's
// highest bit says whether something is so of its byte.
const (
	block       = 32
	lanes       = 0x8080808080808080
	oddLanes    = 0x8000800080008000
	quotes      = 0x2222222222222222
	backslashes = 0x5c5c5c5c5c5c5c5c
)

// unlike marks the lanes of word whose byte is not the one that all lanes of other
// have, which is of ASCII. The other bits mean nothing.
func unlike(word, other uint64) uint64 { return ((word&^lanes ^ other) + ^uint64(lanes)) | word }

// walkString goes through the next stretch of a string, at one speed however many
// quotes are escaped in it. It returns the place behind the string where that ended
// in it, and one that is not escaped where not.
func walkString(text []byte, at int) (next int, ended bool) {
	last := uint64(lanes) // the last lane: whether what comes next is not escaped
	for limit := at + stretch; at < limit && len(text)-at >= block; at += block {
		t := text[at : at+block : at+block]
		w0, w1, w2, w3 := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint64(t[8:]), binary.LittleEndian.Uint64(t[16:]), binary.LittleEndian.Uint64(t[24:])
		q0, q1, q2, q3 := unlike(w0, quotes), unlike(w1, quotes), unlike(w2, quotes), unlike(w3, quotes)
		b0, b1, b2, b3 := unlike(w0, backslashes), unlike(w1, backslashes), unlike(w2, backslashes), unlike(w3, backslashes)
		// What stands behind no backslash is not escaped.
		n0, n1, n2, n3 := b0<<8|last>>56, b1<<8|b0>>56, b2<<8|b1>>56, b3<<8|b2>>56
		// What is not escaped is no quote, and what is escaped no backslash.
		fine := (b0 ^ n0&(q0^b0)) & (b1 ^ n1&(q1^b1)) & (b2 ^ n2&(q2^b2)) & (b3 ^ n3&(q3^b3))
		if last = b3; fine&lanes == lanes {
			continue
		}
		end := 0
		if end, last = walkBlock(t, n0); end > 0 {
			return at + end, true
		}
	}
	return min(at+int(^last>>63), len(text)), false
}

// walkBlock goes through a block that has runs of backslashes, or the end of the
// string. The first lane of first is whether its first byte is not escaped. It
// returns the place behind the string where that ended in the block, and in the last
// lane of last whether what comes next is not escaped.
func walkBlock(t []byte, first uint64) (end int, last uint64) {
	escaped := ^first & 0x80
	for at := 0; at < block; at += 8 {
		word := binary.LittleEndian.Uint64(t[at:])
		quote, backslash := ^unlike(word, quotes)&lanes, ^unlike(word, backslashes)&lanes
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
	return 0, ^(escaped << 56)
}
