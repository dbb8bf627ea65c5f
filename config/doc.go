// Package config reads and writes the configuration file: the mcpServers JSON
// that MCP clients use, with an oauth object beside it. Comments and commas at the
// ends of lists may be in it.
//
// It promises that everything that is wrong is named in one go, with the file, the
// line and column, the place in the document and what would be accepted; that an entry
// which cannot be used keeps no other from it; that a file which other users may write
// is refused; and that writing keeps every other entry, the comments and what others
// write at the same time. It opens no connection.
package config
