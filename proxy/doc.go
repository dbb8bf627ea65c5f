// Package proxy is the downstream face: one MCP server in front of all
// upstreams, over streamable HTTP and over standard streams.
//
// It promises that parameters and results pass through as the bytes that came,
// that the messages of a call reach its client on the call's own stream and
// before the result, that one client never sees another's messages, that
// requests from web pages and from other hosts are refused, and that it listens
// elsewhere than on the loopback address only for clients with a bearer token.
//
// It keeps no state of upstreams: what they are doing is the state machines'.
package proxy
