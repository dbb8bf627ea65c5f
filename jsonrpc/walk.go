package jsonrpc

import "encoding/binary"

// walkByWord goes through the inside of a string, from a byte that is not escaped,
// in blocks of 64 bytes, until the block in which it ends or until there is no whole
// block more. at is that block's place or how far it came. ends has a bit for each
// byte of the block, the lowest for the first: those of the quotes that are not
// escaped; it is 0 where none was found, and escaped is 1 then if the byte at at is.
func walkByWord(text []byte) (at int, ends, escaped uint64) {
	const odd = 0xaaaaaaaaaaaaaaaa // each second byte of a block
	for ; len(text)-at >= 64; at += 64 {
		quotes, backslashes := marks((*[64]byte)(text[at:]))
		// Each second backslash of a run is escaped, and what comes behind the run where
		// their number is odd. The subtraction takes a run as a whole, as its borrow
		// goes from bit to bit.
		escapes := backslashes &^ escaped
		runs := (escapes<<1 | odd) - escapes ^ odd
		if ends = quotes &^ (runs ^ (backslashes | escaped)); ends != 0 {
			return at, ends, escaped
		}
		escaped = runs & backslashes >> 63
	}
	return at, 0, escaped
}

// marks returns a bit for each byte of a block, the lowest for the first: in quotes
// whether it is a quotation mark, in backslashes whether it is a backslash.
func marks(block *[64]byte) (quotes, backslashes uint64) {
	for at := 0; at < len(block); at += 8 {
		word := binary.LittleEndian.Uint64(block[at:])
		quotes |= equal(word, 0x2222222222222222) << at
		backslashes |= equal(word, 0x5c5c5c5c5c5c5c5c) << at
	}
	return quotes, backslashes
}

// equal returns a bit for each of the eight bytes in word, whether it is the one of
// ASCII that all of other are.
func equal(word, other uint64) uint64 {
	const highest = 0x8080808080808080
	// The highest bit of each byte: the addition sets it where any other bit differs.
	differs := ((word&^highest ^ other) + ^uint64(highest)) | word
	// The multiplication gathers these bits in the highest byte.
	return (^differs & highest >> 7) * 0x0102040810204080 >> 56
}
