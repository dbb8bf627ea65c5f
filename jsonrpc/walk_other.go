//go:build !amd64

package jsonrpc

func walk(text []byte) (at int, ends, escaped uint64) { return walkByWord(text) }
