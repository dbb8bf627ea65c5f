// Package api is what the interface of a running proxy (package admin) says, as it stands
// in JSON: for the proxy that says it, and for its clients (package admin/client). It is
// described in admin/openapi.json. It does nothing.
package api

import (
	"time"

	"mcpproxy/fsm"
	"mcpproxy/states"
)

// Version is who answers.
type Version struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	// Problems are what is wrong with the configuration file beside the entries of
	// upstreams, or why its last change was not applied.
	Problems []string `json:"problems,omitempty"`
	// Temporary marks a process that holds the store for a command of its own, such as a
	// login, and serves no MCP client.
	Temporary bool `json:"temporary,omitempty"`
}

// Invitation is the answer to someone who asks for the page.
type Invitation struct {
	// URL opens the page in a browser of this machine, once and for a minute.
	URL string `json:"url"`
}

// Yielded is the answer to a proxy that wants the store.
type Yielded struct {
	// Yields says whether the store is given free soon.
	Yields bool `json:"yields"`
}

// Pasted is what became of an address that a user pasted.
type Pasted struct {
	// Good says whether the login was completed.
	Good  bool   `json:"good"`
	Title string `json:"title"`
	Text  string `json:"text"`
	Next  string `json:"next"`
}

// Outcome is what the machine answered to a user's request.
type Outcome struct {
	Disposition fsm.Disposition `json:"disposition"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Epoch       uint64          `json:"epoch"`
	// Reason is why a request was joined, postponed or ignored, and of a logout that was done
	// what is still good at the authorization server.
	Reason string `json:"reason,omitempty"`
}

// Report is one line of a login's answer: progress, or the outcome.
type Report struct {
	Flow string `json:"flow,omitempty"`
	URL  string `json:"url,omitempty"`
	// Shown says what became of showing the page, with the detail: why the browser was not opened, or the code to enter.
	Shown    states.Showing `json:"shown,omitempty"`
	Detail   string         `json:"detail,omitempty"`
	Deadline time.Time      `json:"deadline,omitzero"`
	// Since is the generation of the token that was there when the login began; whoever
	// asks for the login again at the next proxy says it.
	Since uint64 `json:"since,omitempty"`
	// Done marks the last line; Error is why it failed, or empty, and Reason the reason
	// that the upstream then has for needing a user.
	Done   bool          `json:"done,omitempty"`
	Error  string        `json:"error,omitempty"`
	Reason states.Reason `json:"reason,omitempty"`
}
