package verify

import (
	"slices"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// delayed is upstream's: the authorization server cannot take a step of the login now.
func (x *explorer) delayed(j *job) {
	j.ends(transitions.Input{Event: transitions.LoginDelayed, Flow: j.began.FlowID})
}

func (x *explorer) discover(add adder) {
	if x.options.Mode != Unattended {
		add("is not answered now", false, func(_ *world, j *job) { x.delayed(j) })
	}
	add("finds the authorization server", true, func(_ *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Discovered, Flow: j.began.FlowID})
	})
	add("finds nothing now", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.DiscoveryFailed, false) })
	add("the server offers no login", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.NotOAuth, true) })
}

func (x *explorer) register(_ *world, j *job, add adder) {
	if j.step == saving {
		begun := transitions.Registered
		if x.options.Mode == Device {
			begun = transitions.DeviceCodeIssued
		}
		add("writes the flow", true, func(w *world, j *job) {
			w.disk.flow, w.loaded = j.carry.flow, true // what lies there is this process's
			j.ends(transitions.Input{Event: begun, Flow: j.carry.flow.ID, Payload: transitions.Payload{Flow: j.carry.flow}})
		})
		add("cannot write the flow", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationFailed, false) })
		return
	}
	add("has a client identity", true, func(w *world, j *job) {
		flow := &credential.Flow{
			ID:       j.began.FlowID,
			Key:      key0,
			Optional: j.began.WorksWithout(),
			Deadline: w.now().Add(j.began.Settings.LoginDeadline),
			Scopes:   j.began.Scopes,
		}
		if x.options.Mode == Unattended {
			j.ends(transitions.Input{Event: transitions.ClientIdentified, Flow: flow.ID, Payload: transitions.Payload{Flow: flow}})
			return
		}
		if x.options.Mode == Device {
			flow.DeviceCode = credential.NewSecret("code of " + flow.ID)
		}
		j.carry.flow, j.step = flow, saving
	})
	if x.options.Mode != Unattended {
		add("is not answered now", false, func(_ *world, j *job) { x.delayed(j) })
	}
	add("is not registered now", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationFailed, false) })
	add("is refused", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationRejected, true) })
	if x.options.Mode != Unattended && x.options.Mode != Device {
		add("cannot listen", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.ListenerFailed, false) })
	}
}

// loginEnd is upstream's: the outcome of a login's job that failed.
func (x *explorer) loginEnd(w *world, j *job, failed transitions.Event, final bool) {
	in := transitions.Input{Event: transitions.LoginEnd(w.machine.Data, failed), Flow: j.began.FlowID}
	if in.Event == transitions.OptionalLoginEnded && w.machine.Data.LoginNeeded {
		w.disk.logout = false // of a server that has no login
	}
	if x.options.Mode == Unattended && in.Event != transitions.OptionalLoginEnded {
		in = transitions.Input{Event: transitions.GrantFailed}
		if final && !w.machine.Data.TokenUsable(w.now()) {
			in.Event = transitions.GrantRejected
		}
	}
	j.ends(in)
}

// brokenOff is upstream's: the outcome of a login's job that the disk ended.
func (x *explorer) brokenOff(w *world, j *job, failed transitions.Event) {
	in := transitions.Input{Event: transitions.LoginEnd(w.machine.Data, failed), Flow: j.began.FlowID}
	if x.options.Mode == Unattended && w.machine.Data.TokenUsable(w.now()) {
		in = transitions.Input{Event: transitions.GrantFailed}
	} else if x.options.Mode == Unattended && in.Event != transitions.OptionalLoginEnded {
		in.Event = failed
	}
	j.ends(in)
	if j.name == transitions.JobExchange {
		j.step = erasing
	}
}

// fromDisk are the events with which a login of before a restart goes on.
var fromDisk = map[transitions.Event]bool{transitions.FlowOpen: true, transitions.FlowBesideToken: true, transitions.DeviceFlowOpen: true,
	transitions.DeviceFlowBesideToken: true}

// await is a page that is shown, or a code; the user acts elsewhere.
func (x *explorer) await(_ *world, j *job, add adder) {
	switch {
	case j.step == showing && fromDisk[j.cause]:
		add("listens again", true, func(_ *world, j *job) { j.step = listening })
	case j.step == showing:
		add("shows the page", true, func(w *world, j *job) {
			flow := j.began.FlowID
			if j.name == transitions.JobAwaitBrowser {
				w.openTab(flow)
			}
			j.step = listening
			_ = x.fire(w, transitions.Input{
				Event:   transitions.BrowserShown,
				Flow:    flow,
				Epoch:   j.epoch,
				Payload: transitions.Payload{Shown: states.Shown{How: states.Opened}},
			})
		})
		if j.name == transitions.JobAwaitDevice {
			return
		}
		add("cannot listen", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.ListenerFailed, false) })
	case j.name == transitions.JobAwaitDevice && j.step == asking:
		add("is asked for a nonce", false, x.demandNonce)
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, true) })
		add("the client is forgotten", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.ClientForgotten, false) })
		add("the client is refused", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.ClientRejected, false) })
	case j.step == saving:
		x.save(transitions.CodeExchanged, add)
	}
}

// obtain redeems a code, or asks with a grant that needs no user.
func (x *explorer) obtain(_ *world, j *job, add adder) {
	exchange := j.name == transitions.JobExchange
	switch {
	case j.step == saving && exchange:
		x.save(transitions.CodeExchanged, add)
	case j.step == saving:
		x.save(transitions.TokenGranted, add)
	case j.step == erasing:
		add("erases the flow", true, func(w *world, j *job) {
			if w.disk.flow != nil && w.disk.flow.ID == j.began.FlowID {
				w.disk.flow = nil
			}
			j.step = reporting
		})
	case exchange:
		add("is asked for a nonce", false, x.demandNonce)
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, true) })
		add("is not answered now", false, func(_ *world, j *job) {
			x.delayed(j)
			j.step = erasing
		})
		add("is refused", false, func(w *world, j *job) {
			x.loginEnd(w, j, transitions.ExchangeRejected, false)
			j.step = erasing
		})
		add("the client is forgotten", false, func(w *world, j *job) {
			x.loginEnd(w, j, transitions.ClientForgotten, false)
			j.step = erasing
		})
		add("the client is refused", false, func(w *world, j *job) {
			x.loginEnd(w, j, transitions.ClientRejected, false)
			j.step = erasing
		})
	default:
		add("is asked for a nonce", false, x.demandNonce)
		add("has its identity asserted", false, func(w *world, j *job) {
			_ = x.fire(w, transitions.Input{Event: transitions.IdentityAsserted, Epoch: j.epoch})
		})
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, false) })
		add("has no answer", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.GrantFailed, false) })
		add("is refused", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.GrantRejected, true) })
	}
}

// issue has the authorization server make a new family of tokens.
func (x *explorer) issue(w *world, j *job, refreshable bool) {
	j.carry.token = w.newToken(j.began.Generation+1, refreshable)
	if flow := j.began.Flow; flow != nil {
		j.carry.token.RequestedScopes = flow.Scopes
	}
	if refreshable {
		w.server.grants = append(w.server.grants, refreshToken{id: j.carry.token.Refresh.Reveal(), family: w.ids})
	}
	j.step = saving
}

func (w *world) newToken(generation uint64, refreshable bool) *credential.Token {
	id := w.id("token")
	t := &credential.Token{
		Generation: generation,
		Access:     credential.NewSecret(id),
		ObtainedAt: w.now(),
		ExpiresAt:  w.now().Add(tick),
		Key:        key0,
	}
	if refreshable {
		t.Refresh = credential.NewSecret(id)
	}
	return t
}

// key0 is what every token is bound to: that a server demands a nonce is possible at
// any time, and is explored; that it does so of a token that is bound to nothing is probed.
var key0 = credential.NewSecret("key")

// code0 is the authorization code that a page comes back with.
var code0 = credential.NewSecret("code")

// demandNonce has the token endpoint answer a request with the demand for a nonce.
func (x *explorer) demandNonce(w *world, j *job) {
	_ = x.fire(w, transitions.Input{
		Event:   transitions.TokenNonceDemanded,
		Epoch:   j.epoch,
		Flow:    j.began.FlowID,
		Payload: transitions.Payload{Nonce: "nonce"},
	})
}

// openTab shows a page.
func (w *world) openTab(flow string) {
	if !slices.Contains(w.tabs, flow) {
		w.tabs = append(w.tabs, flow)
	}
}

// closeTabs closes the pages of logins that are over, here and in the store. That
// one is still approved is always possible (see personActions).
func (w *world) closeTabs() {
	w.tabs = slices.DeleteFunc(w.tabs, func(flow string) bool {
		return !w.machine.Data.HasFlow(flow) && (w.disk.flow == nil || w.disk.flow.ID != flow)
	})
}
