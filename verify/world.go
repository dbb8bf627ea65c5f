package verify

import (
	"slices"
	"time"

	"mcpproxy/credential"
	"mcpproxy/fsm"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// tick is the model's unit of time: the life of an access token. The deadlines of
// logins and the pause between two browser openings are shorter, an hour is two.
const tick = 30 * time.Minute

// epoch0 is when the model's clock starts.
var epoch0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// world is the machine and everything around it at one moment. It is a value:
// actions change a copy.
type world struct {
	machine *transitions.Snapshot
	clock   int
	jobs    []job
	disk    disk
	server  server
	// tabs are the flows whose pages are open in the browser, the newest last.
	tabs []string
	// begins are the ticks at which the machine began a login by itself, within the
	// last hour and since the process started.
	begins []int
	// loggedOut says that a user's logout was confirmed and nobody asked for a
	// login since.
	loggedOut bool
	// wanted says that the upstream was asked for last, and not disconnected.
	wanted bool
	// loaded says that this process has read the store.
	loaded bool
	// ids counts the flows, tokens and intents that were ever made.
	ids int
}

// disk is the store. What is on it survives the process.
type disk struct {
	token      *credential.Token
	generation uint64
	intent     *credential.Intent
	flow       *credential.Flow
	logout     bool
}

// server is the authorization server's view of refresh tokens.
type server struct {
	// grants are the refresh tokens that someone still holds.
	grants []refreshToken
}

type refreshToken struct {
	id     string
	family int
	status status
	// sent counts how often it was sent after it was consumed.
	sent int
}

type status byte

const (
	valid status = iota
	consumed
	revoked
)

func (w *world) now() time.Time { return epoch0.Add(time.Duration(w.clock) * tick) }

func (w *world) state(region string) states.State { return w.machine.Region(region).State }

// place is the credential's state, as it is declared.
func (w *world) place() *transitions.Place {
	return w.machine.Region(states.Credential).Place
}

// stopping says that the process is on its way down.
func (w *world) stopping() bool { return w.state(states.Connection) == states.Closed }

// grant is the server's record of a refresh token. The zero record is of one that
// it does not know.
func (w *world) grant(token credential.Secret) *refreshToken {
	for i := range w.server.grants {
		if g := &w.server.grants[i]; g.id == token.Reveal() {
			return g
		}
	}
	return &refreshToken{status: revoked}
}

// clone copies what actions change in place.
func (w *world) clone() *world {
	c := *w
	c.jobs = slices.Clone(w.jobs)
	c.tabs = slices.Clone(w.tabs)
	c.begins = slices.Clone(w.begins)
	c.server.grants = slices.Clone(w.server.grants)
	return &c
}

// settings of the model: small numbers, so that every limit is met soon.
func settings(mode Mode) states.Settings {
	s := states.DefaultSettings()
	s.RefreshAttempts, s.ForcedRefreshes, s.BrowserBudget = 2, 1, 1
	s.AutomaticLogin = mode == Automatic || mode == StepUp
	s.Unattended = mode == Unattended
	if mode == Unusable {
		s.Problem = "a variable is not set"
	}
	return s
}

// start is the start of the process, which wants the upstream.
func (x *explorer) start(w *world) {
	x.begin(w)
	_ = x.fire(w, transitions.Input{Event: transitions.Connect, Actor: fsm.Process})
}

func (x *explorer) begin(w *world) {
	data := states.Data{Settings: settings(x.options.Mode)}
	w.machine, _ = x.graph.Start("u", data, w.now())
	w.jobs, w.begins, w.loaded = nil, nil, false
}
