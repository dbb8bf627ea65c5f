package jsonrpc

// walk is [walkByWord] in the instructions that every processor of this
// architecture has (SSE2).
//
//go:noescape
func walk(text []byte) (at int, ends, escaped uint64)
