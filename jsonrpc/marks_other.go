//go:build !amd64

package jsonrpc

func marks(block *[64]byte) (quotes, backslashes uint64) { return marksByWord(block) }
