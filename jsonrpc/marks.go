package jsonrpc

import "encoding/binary"

// marksByWord returns a bit for each byte of a block, the lowest for the first: in
// quotes whether it is a quotation mark, in backslashes whether it is a backslash.
func marksByWord(block *[64]byte) (quotes, backslashes uint64) {
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
