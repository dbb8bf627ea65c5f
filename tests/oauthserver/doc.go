// Package oauthserver is an OAuth 2.1 authorization server and a protected MCP
// server in one program, to test clients against.
//
// It promises to be strict where the specifications are: PKCE S256 is mandatory,
// codes work once, refresh tokens rotate and the use of an old one revokes the
// whole grant, resource indicators and redirect addresses are checked. Faults
// can be ordered for each endpoint, and every request is counted. Everything is
// kept in memory and listens on 127.0.0.1 only. It is no server for production.
package oauthserver
