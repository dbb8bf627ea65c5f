package verify

import (
	"cmp"
	"slices"
	"strings"

	"mcpproxy/credential"
	"mcpproxy/states"
	"mcpproxy/transitions"
)

// action is one thing that can happen next.
type action struct {
	label string
	// good: the environment behaves. person: somebody does something.
	good, person bool
	do           func(*world)
}

// jobActions are the ways in which a job's next step can go.
func (x *explorer) jobActions(w *world, i int) []action {
	j := &w.jobs[i]
	what := j.name + ": "
	if !w.live(j) {
		what = "late " + what
	}
	var all []action
	add := func(label string, good bool, do func(*world, *job)) {
		all = append(all, action{label: what + label, good: good, do: func(w *world) {
			disk, machine, all := w.disk, w.machine, len(w.jobs)
			do(w, &w.jobs[i])
			if quiet := w.disk == disk && w.machine == machine && len(w.jobs) == all; quiet && w.jobs[i].step == reporting && carriesNothing(&w.jobs[i].result) {
				x.say(w, &w.jobs[i])
			}
		}})
	}
	if j.step == reporting {
		return append(all, action{label: what + "reports " + string(j.result.Event), good: true, do: func(w *world) { x.say(w, &w.jobs[i]) }})
	}
	if j.step.onDisk() && j.step != reading && w.diskIsBusy(j) {
		return nil
	}
	switch j.name {
	case transitions.JobLoad:
		x.load(add)
	case transitions.JobRefresh:
		x.refresh(w, j, add)
	case transitions.JobDiscover:
		x.discover(add)
	case transitions.JobRegister:
		x.register(w, j, add)
	case transitions.JobAwaitBrowser, transitions.JobAwaitDevice:
		x.await(w, j, add)
	case transitions.JobExchange, transitions.JobRequestToken:
		x.obtain(w, j, add)
	case transitions.JobLogOut:
		x.logOut(j, add)
	case transitions.JobConnect:
		x.connect(w, add)
	case transitions.JobWatch:
		for _, event := range []transitions.Event{transitions.TransportFailed, transitions.SessionLost} {
			add(string(event), false, func(_ *world, j *job) { j.ends(transitions.Input{Event: event}) })
		}
	}
	return all
}

// diskIsBusy reports whether another job's write has begun and hangs: the store
// makes one change at a time.
func (w *world) diskIsBusy(asker *job) bool {
	for i := range w.jobs {
		if j := &w.jobs[i]; j != asker && j.step == saving && j.name != transitions.JobRefresh && !w.live(j) {
			return true
		}
	}
	return false
}

// carriesNothing reports whether an outcome has nothing with it that was read or
// obtained.
func carriesNothing(in *transitions.Input) bool {
	return in.Payload.Token == nil && in.Payload.Flow == nil && in.Payload.Intent == nil
}

// say gives the machine the outcome of a job. That is a step of its own only where
// something was read, written or said before that may be overtaken.
func (x *explorer) say(w *world, j *job) {
	in := j.result
	in.Epoch = j.epoch
	over := *j
	w.sweep(j)
	if err := x.fire(w, in); over.awaits() || err != nil && over.carry.Flow != nil {
		w.forgetFlow(over.began.FlowID)
	}
}

type adder = func(label string, good bool, do func(*world, *job))

// forgetFlow erases the record of a login that is over. That this may come late is
// not explored: until then the login can still be completed at the next start.
func (w *world) forgetFlow(id string) {
	if w.disk.flow != nil && w.disk.flow.ID == id && !w.machine.Data.HasFlow(id) {
		w.disk.flow = nil
	}
}

// awaits reports whether the job shows a page.
func (j *job) awaits() bool {
	return j.name == transitions.JobAwaitBrowser || j.name == transitions.JobAwaitDevice
}

// ends makes an outcome the one that will be reported.
func (j *job) ends(in transitions.Input) { j.result, j.step = in, reporting }

// settle ends the late jobs that have only something to say left, and forgets the
// refresh tokens that nobody holds any more.
func (x *explorer) settle(w *world) {
	var late []transitions.Input
	w.jobs = slices.DeleteFunc(w.jobs, func(j job) bool {
		if w.live(&j) || j.step != reporting {
			return false
		}
		j.result.Epoch = j.epoch
		late = append(late, j.result)
		return true
	})
	for _, in := range late {
		_ = x.fire(w, in)
	}
	w.closeTabs()
	w.server.grants = slices.DeleteFunc(w.server.grants, func(g refreshToken) bool { return !w.holds(g.id) })
	slices.SortStableFunc(w.jobs, func(a, b job) int {
		return cmp.Or(strings.Compare(a.region, b.region), cmp.Compare(b.epoch, a.epoch))
	})
}

// holds reports whether anybody has the refresh token.
func (w *world) holds(id string) bool {
	is := func(t *credential.Token) bool { return t.HasRefresh() && t.Refresh.Reveal() == id }
	if is(w.machine.Data.Token) || is(w.disk.token) {
		return true
	}
	for i := range w.jobs {
		if j := &w.jobs[i]; is(j.carry.Token) || is(j.began.Token) || is(j.result.Payload.Token) {
			return true
		}
	}
	return false
}

// sweep takes ended jobs out.
func (w *world) sweep(ended *job) {
	kept := w.jobs[:0]
	for i := range w.jobs {
		if &w.jobs[i] != ended {
			kept = append(kept, w.jobs[i])
		}
	}
	w.jobs = kept
}

func (x *explorer) load(add adder) {
	add("reads the store", true, func(w *world, j *job) {
		d := w.disk
		w.loaded = true
		in := transitions.Input{Payload: transitions.Payload{Token: d.token, Generation: d.generation}}
		in.Event = transitions.LoadEnd(transitions.Stored{Token: d.token, Flow: d.flow, Intent: d.intent, LoggedOut: d.logout}, w.now())
		switch in.Event {
		case transitions.FlowOpen, transitions.DeviceFlowOpen:
			in.Flow, in.Payload.Flow = d.flow.ID, d.flow
		case transitions.TokenUncertain, transitions.RefreshUncertain:
			in.Payload.Intent = d.intent
		}
		j.ends(in)
	})
	add("the store cannot be read", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.StoreFailed}) })
}

func (x *explorer) discover(add adder) {
	add("finds the authorization server", true, func(_ *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Discovered, Flow: j.began.FlowID})
	})
	add("finds nothing now", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.DiscoveryFailed, false) })
	add("the server offers no login", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.NotOAuth, true) })
}

func (x *explorer) register(w *world, j *job, add adder) {
	if j.step == saving {
		begun := transitions.Registered
		if x.options.Mode == Device {
			begun = transitions.DeviceCodeIssued
		}
		add("writes the flow", true, func(w *world, j *job) {
			w.disk.flow = j.carry.Flow
			j.ends(transitions.Input{Event: begun, Flow: j.carry.Flow.ID, Payload: transitions.Payload{Flow: j.carry.Flow}})
		})
		add("cannot write the flow", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationFailed, false) })
		return
	}
	add("has a client identity", true, func(w *world, j *job) {
		flow := &credential.Flow{ID: j.began.FlowID, Deadline: w.now().Add(j.began.Settings.LoginDeadline), Scopes: j.began.Scopes}
		if x.options.Mode == Unattended {
			j.ends(transitions.Input{Event: transitions.ClientIdentified, Flow: flow.ID, Payload: transitions.Payload{Flow: flow}})
			return
		}
		if x.options.Mode == Device {
			flow.DeviceCode = credential.NewSecret("code of " + flow.ID)
		}
		j.carry.Flow, j.step = flow, saving
	})
	add("is not registered now", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationFailed, false) })
	add("is refused", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.RegistrationRejected, true) })
}

// loginEnd is upstream's: the outcome of a login's job that failed.
func (x *explorer) loginEnd(w *world, j *job, failed transitions.Event, final bool) {
	in := transitions.Input{Event: transitions.LoginEnd(w.machine.Data, failed), Flow: j.began.FlowID}
	if x.options.Mode == Unattended {
		in = transitions.Input{Event: transitions.GrantFailed}
		if final {
			in.Event = transitions.GrantRejected
		}
	}
	j.ends(in)
}

// await is a page that is shown, or a code; the person acts elsewhere.
func (x *explorer) await(w *world, j *job, add adder) {
	switch {
	case j.step == showing && (j.cause.Event == transitions.FlowOpen || j.cause.Event == transitions.DeviceFlowOpen):
		add("listens again", true, func(_ *world, j *job) { j.step = listening })
	case j.step == showing:
		add("shows the page", true, func(w *world, j *job) {
			flow := j.began.FlowID
			if j.name == transitions.JobAwaitBrowser {
				w.openTab(flow)
			}
			j.step = listening
			_ = x.fire(w, transitions.Input{Event: transitions.BrowserShown, Flow: flow, Epoch: j.epoch, Payload: transitions.Payload{Opened: "opened"}})
		})
		if j.name == transitions.JobAwaitDevice {
			return
		}
		add("cannot listen", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.ListenerFailed, false) })
	case j.name == transitions.JobAwaitDevice && j.step == asking:
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, true) })
		add("the client is forgotten", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.ClientForgotten}) })
	case j.step == saving:
		x.save(transitions.CodeExchanged, add)
	}
}

// obtain redeems a code, or asks with a grant that needs no person.
func (x *explorer) obtain(w *world, j *job, add adder) {
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
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, true) })
		add("is refused", false, func(w *world, j *job) {
			x.loginEnd(w, j, transitions.ExchangeRejected, false)
			j.step = erasing
		})
		add("the client is forgotten", false, func(w *world, j *job) {
			x.loginEnd(w, j, transitions.ClientForgotten, false)
			j.step = erasing
		})
	default:
		add("is given a token", true, func(w *world, j *job) { x.issue(w, j, false) })
		add("has no answer", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.GrantFailed, false) })
		add("is refused", false, func(w *world, j *job) { x.loginEnd(w, j, transitions.GrantRejected, true) })
	}
}

// issue has the authorization server make a new family of tokens.
func (x *explorer) issue(w *world, j *job, refreshable bool) {
	j.carry.Token = w.newToken(j.began.Generation+1, refreshable)
	if flow := j.began.Flow; flow != nil {
		j.carry.Token.RequestedScopes = flow.Scopes
	}
	if refreshable {
		w.server.grants = append(w.server.grants, refreshToken{id: j.carry.Token.Refresh.Reveal(), family: w.ids})
	}
	j.step = saving
}

func (w *world) newToken(generation uint64, refreshable bool) *credential.Token {
	id := w.id("token")
	t := &credential.Token{Generation: generation, Access: credential.NewSecret(id), ObtainedAt: w.now(), ExpiresAt: w.now().Add(tick)}
	if refreshable {
		t.Refresh = credential.NewSecret(id)
	}
	return t
}

// save is the store's compare-and-swap of a token.
func (x *explorer) save(done transitions.Event, add adder) {
	add("writes the token", true, func(w *world, j *job) {
		token := j.carry.Token
		erased := j.name == transitions.JobRefresh && w.disk.token == nil
		if w.disk.generation != token.Generation-1 {
			j.unsaved(transitions.TokenSuperseded)
			return
		}
		if erased {
			j.unsaved(transitions.TokenUnsaved)
			return
		}
		w.disk = disk{token: token, generation: token.Generation}
		j.ends(transitions.Input{Event: done, Flow: j.began.FlowID, Payload: transitions.Payload{Token: token}})
	})
	add("cannot write the token", false, func(_ *world, j *job) { j.unsaved(transitions.TokenUnsaved) })
}

// unsaved is the end of a job whose token could not be written; the record of the
// login that it came from is erased.
func (j *job) unsaved(why transitions.Event) {
	j.ends(transitions.Input{Event: why, Flow: j.began.FlowID})
	if j.name == transitions.JobExchange {
		j.step = erasing
	}
}

func (x *explorer) logOut(j *job, add adder) {
	if j.step == asking {
		add("the token is revoked", true, func(w *world, j *job) {
			w.revokeFamily(j.carry.Token)
			j.ends(transitions.Input{Event: transitions.LogoutDone})
		})
		add("the token is not revoked", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.LogoutDone}) })
		return
	}
	add("erases the credential", true, func(w *world, j *job) {
		j.carry.Token, j.step = w.disk.token, asking
		w.disk = disk{generation: w.disk.generation, logout: true}
		if j.carry.Token == nil {
			j.ends(transitions.Input{Event: transitions.LogoutDone})
		}
	})
	add("cannot erase the credential", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.LogoutFailed}) })
}

func (w *world) revokeFamily(token *credential.Token) {
	if !token.HasRefresh() {
		return
	}
	family := w.grant(token.Refresh).family
	for i := range w.server.grants {
		if g := &w.server.grants[i]; g.family == family {
			g.status = revoked
		}
	}
}

// connect is one attempt with the token that is current then.
func (x *explorer) connect(w *world, add adder) {
	accepts := w.accepts(w.machine.Data.Token)
	add("agrees on the protocol", accepts, func(w *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Handshaken})
		x.accepted(w, w.machine.Data.Token)
	})
	add("is answered with 401", !accepts, func(w *world, j *job) {
		j.ends(transitions.Input{Event: transitions.Unauthorized})
		x.unauthorized(w, generationOf(w.machine.Data.Token))
	})
	if w.machine.Data.Token != nil && x.options.explores(forbid) {
		add("is answered with 403", false, func(w *world, j *job) {
			j.ends(transitions.Input{Event: transitions.Forbidden})
			x.forbidden(w, generationOf(w.machine.Data.Token))
		})
	}
	add("cannot reach the server", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.TransportFailed}) })
	add("does not understand the server", false, func(_ *world, j *job) { j.ends(transitions.Input{Event: transitions.ProtocolFailed}) })
}

// accepts is what a resource server that behaves says to a token.
func (w *world) accepts(token *credential.Token) bool {
	if token == nil || !token.UsableAt(w.now()) {
		return false
	}
	return !token.HasRefresh() || w.grant(token.Refresh).status != revoked
}

func generationOf(token *credential.Token) uint64 {
	if token == nil {
		return 0
	}
	return token.Generation
}

func (x *explorer) accepted(w *world, token *credential.Token) {
	if token != nil && w.machine.Data.Accepted != token.Generation {
		_ = x.fire(w, transitions.Input{Event: transitions.TokenAccepted, Payload: transitions.Payload{Generation: token.Generation}})
	}
}

func (x *explorer) unauthorized(w *world, generation uint64) {
	event := transitions.RefusalEnd(&w.machine.Data, generation, w.now())
	if event != "" {
		_ = x.fire(w, transitions.Input{Event: event, Payload: transitions.Payload{Generation: generation}})
	}
}

// missingScope is what the resource server's 403 asks for.
const missingScope = "more"

func (x *explorer) forbidden(w *world, generation uint64) {
	_ = x.fire(w, transitions.Input{Event: transitions.ScopeInsufficient,
		Payload: transitions.Payload{Generation: generation, Challenge: states.Challenge{Error: "insufficient_scope", Scopes: []string{missingScope}}}})
	x.propose(w)
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
