package verify

import (
	"slices"

	"mcpproxy/transitions"
)

// Mode is the configuration that is explored.
type Mode string

// The modes.
const (
	// Interactive: only a user begins a login (the default configuration).
	Interactive Mode = "interactive"
	// Automatic: the machine may open a browser by itself.
	Automatic Mode = "automatic"
	// StepUp is Automatic where the resource server asks for more scopes (403).
	StepUp Mode = "step-up"
	// Device: the login is a code that is entered on another device.
	Device Mode = "device"
	// Unattended: tokens come from a grant that needs no user.
	Unattended Mode = "unattended"
	// Given: the configuration gives the credential.
	Given Mode = "given"
	// Unusable: the entry in the configuration cannot be used.
	Unusable Mode = "unusable"
)

// Modes returns all modes, those that take longest first.
func Modes() []Mode {
	return []Mode{StepUp, Automatic, Interactive, Device, Unattended, Given, Unusable}
}

// disturbance is something that happens to the machine which not every mode explores.
type disturbance byte

const (
	kill disturbance = iota
	end
	disconnect
	logOut
	forbid
	connectWait // for the turn to connect
	refreshWait // for the turn to refresh
)

// leftOut are the disturbances that some modes leave to the others: their
// product would be explored for hours.
var leftOut = map[Mode][]disturbance{
	StepUp:      {kill, end, disconnect, logOut, connectWait, refreshWait},
	Automatic:   {forbid, connectWait, refreshWait},
	Interactive: {connectWait},
	Device:      {refreshWait},
	Given:       {logOut}, // nobody can
}

func (o Options) explores(d disturbance) bool {
	return o.Thorough || !slices.Contains(leftOut[o.Mode], d)
}

// Options bound a search. The zero value explores [Interactive].
type Options struct {
	Mode Mode
	// Jobs bounds how many refreshes whose state is over may still be running, which
	// happens where the disk hangs for longer than the state's deadline.
	Jobs int
	// Thorough explores every disturbance in every mode, which takes hours and much memory.
	Thorough bool
	// Worlds bounds the search; 0 means none. A search that meets it is incomplete
	// and says so.
	Worlds int
	// Spec is the declaration that is explored; nil is the built-in one.
	Spec *transitions.Spec
	// ForgetEpoch is an event whose epoch the machine does not look at; empty is none.
	// It is for mutants.
	ForgetEpoch transitions.Event
	// Stored has the search begin with what earlier processes may have left on disk as
	// well. All of it is met without that too, but much later.
	Stored bool
	// From are situations to begin in, in place of the start of the process.
	From Places
	// Plain has the search leave nothing out (see the package's Reductions), for tests.
	Plain bool
	// Workers is how many processors one search uses; 0 means all.
	Workers int
	// Progress, if not nil, is told now and then how many worlds a search has met.
	Progress func(mode Mode, worlds int)
}

// Report is what a search found.
type Report struct {
	Mode Mode `json:"mode"`
	// Worlds and Steps are the distinct situations and the ways between them.
	Worlds int `json:"worlds"`
	Steps  int `json:"steps"`
	// Fired counts the events that the machine was given, Refused those that it refused.
	// What is known to make no difference is not tried again, and not counted again.
	Fired   int `json:"fired"`
	Refused int `json:"refused"`
	// Complete says that every situation within the bounds was explored.
	Complete bool    `json:"complete"`
	Seconds  float64 `json:"seconds"`
	// Counterexample is nil where every invariant holds.
	Counterexample *Counterexample `json:"counterexample,omitempty"`
}

// Counterexample is a shortest way to break an invariant.
type Counterexample struct {
	Invariant string `json:"invariant"`
	Why       string `json:"why"`
	Trace     []Step `json:"trace"`
}

// Failed reports whether there is a counterexample.
func (r *Report) Failed() bool { return r.Counterexample != nil }

// Step is one action of a trace and where it led.
type Step struct {
	Action     string `json:"action"`
	Connection string `json:"connection"`
	Credential string `json:"credential"`
}
