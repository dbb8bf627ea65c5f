// Package conformance runs the public MCP conformance suite against the proxy,
// both ways: with the suite's servers as its upstreams (the program in client is
// the client under test), and with the suite as its client, in front of a fixture
// server that nobody here wrote (the tool of the module in fixture).
//
// What the suite needs is installed beside it from npm by [Install]: two versions
// of the suite and the Node that they run on. Expected failures stand in files
// that the suite itself checks, with the reason of each; a failure that is not
// there, and an entry there that passes, fail the run.
package conformance
