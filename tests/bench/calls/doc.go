// Package calls compares what one tools/call costs on its way through different
// hops: none, Go's reverse proxy (the floor for one hop), mcpproxy, a relay that
// decodes and encodes each message (as proxies do that are built from an MCP
// server and an MCP client), and other proxies from npm.
//
// Every hop is a process of its own, so that its CPU time and memory are its
// own. The hops take turns in short blocks, several rounds of them, so that what
// else the machine does meets all of them alike. Nothing leaves the loopback
// address, and every block is bounded in time.
package calls
