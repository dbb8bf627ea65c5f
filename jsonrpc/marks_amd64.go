package jsonrpc

// marks is [marksByWord] in the instructions that every processor of this
// architecture has (SSE2): it takes a fifth of the time.
//
//go:noescape
func marks(block *[64]byte) (quotes, backslashes uint64)
