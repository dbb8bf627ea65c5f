//go:build !unix

package config

import "io/fs"

// writable cannot be told from a mode here.
func writable(fs.FileInfo) string { return "" }
