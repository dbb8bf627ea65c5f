// Package oauth is the OAuth client protocol of MCP as plain functions: values
// in, HTTP, one result or one classified [*Error] out.
//
// It promises that no request with a credential follows a redirect, that nothing
// is sent over plain HTTP to another machine, that an authorization server's
// answer is checked against the issuer it was asked as, and that every failure
// has a [Class] which says whether a one-time secret may have been used up. It
// keeps no state, starts no goroutine and decides nothing that the graph decides.
package oauth
