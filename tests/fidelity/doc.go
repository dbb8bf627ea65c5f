// Package fidelity sends odd messages through the proxy, from every transport that
// clients use to every transport that servers use, and compares what comes out with
// what went in, byte for byte.
//
// The servers and clients in it put their messages together as text and use nothing
// of the proxy's own reading and writing.
package fidelity
