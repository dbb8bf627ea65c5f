// Package upstream runs one state machine for each upstream MCP server and
// performs its jobs: reading the store, refreshing, logging in, connecting. It
// carries calls over the connection, puts the token on requests and turns what
// servers answer into events.
//
// It promises that an upstream makes at most one login, one refresh and one
// connection attempt at a time, because the machine does; that a token is on disk
// before a request carries it; that a call never waits for a user unless the
// configuration lets the machine open a browser; and that every goroutine it
// starts has ended when [Manager.Close] returns.
//
// It decides nothing that the graph in package transitions decides: each job
// ends in one event, and each answer of a server becomes one event.
package upstream
